import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// What a node makes of what its carriers see (NET-05 to NET-07), and what tiers hold back (NET-09, NET-15).
@Suite("Measured links")
struct LinkMeasureTests {
    private static func seen(bytes: Int, seconds: Int) -> ExchangeStatistics {
        var statistics = ExchangeStatistics(
            sent: ByteCount(bytes), received: ByteCount(100), duration: Int64(seconds) * 1_000, reusedConnection: true)
        statistics.up = .init(bytes: ByteCount(bytes), time: .seconds(seconds))
        statistics.roundTrip = .milliseconds(700)
        statistics.datagramsSent = 10
        statistics.datagramsLost = 1
        return statistics
    }

    @Test("rates, pace and tier follow what was seen; the status says whence they come")
    func follows() async throws {
        try await TestNode.with { node in
            let profile = Profile.preset(.satellite)
            let measure = LinkMeasure(core: node.node.core, account: node.id.text, profile: profile)
            #expect(measure.tiers == (.ultraLow, .ultraLow) && measure.tierSources == ("profile", "profile"))
            let before = measure.object["bandwidth_up"]?.object
            #expect(before?["source"] == "profile" && before?["measured"] == .null && before?["in_force"] == 9_600)
            for _ in 0..<3 { measure.take(Self.seen(bytes: 50_000, seconds: 10)) }
            #expect(measure.tiers == (.low, .ultraLow) && measure.tierSources == ("measured", "profile"))
            let after = measure.object["bandwidth_up"]?.object
            #expect(after?["source"] == "measured" && after?["measured"] == 40_000 && after?["in_force"] == 40_000)
            #expect(after?["profile"] == 9_600 && after?["confidence"] == 1)
            #expect(measure.paced.up == profile.bandwidthUp, "never faster than the profile says")
            for _ in 0..<4 { measure.take(Self.seen(bytes: 5_000, seconds: 10)) }
            #expect(measure.tiers.up == .ultraLow && measure.paced.up.bitsPerSecond == 4_400)
        }
    }

    @Test("the operator's word wins: his tier, and `measure: false` (NET-07)")
    func overridden() async throws {
        try await TestNode.with { node in
            var profile = Profile.preset(.satellite)
            profile.tierUp = .medium
            profile.measures = false
            let measure = LinkMeasure(core: node.node.core, account: node.id.text, profile: profile)
            for _ in 0..<5 { measure.take(Self.seen(bytes: 5_000, seconds: 10)) }
            #expect(measure.tiers.up == .medium && measure.tierSources == ("override", "profile"))
            #expect(measure.real == profile)
            #expect(measure.object["bandwidth_up"]?.object?["source"] == "override")
        }
    }

    @Test("estimate and history survive a restart; a damaged estimate is measured anew")
    func durable() async throws {
        try await TestNode.with { node in
            let profile = Profile.preset(.satellite)
            let core = node.node.core
            let measure = LinkMeasure(core: core, account: node.id.text, profile: profile)
            for _ in 0..<3 { measure.take(Self.seen(bytes: 5_000, seconds: 10)) }
            await measure.save()
            measure.take(Self.seen(bytes: 4_900, seconds: 10))
            node.time.advance(milliseconds: 3_600_000)
            measure.take(Self.seen(bytes: 5_100, seconds: 10))
            await measure.save()
            let restored = try await LinkMeasure.restored(core: core, account: node.id.text, profile: profile)
            #expect(restored.real == measure.real && restored.real.bandwidthUp.bitsPerSecond == 4_000)
            let name = node.id.text
            let hours = try await core.read { try $0.history(of: name, limit: 100) }
            #expect(hours.map(\.exchanges) == [4, 1] && hours.map(\.sent) == [19_900, 5_100])
            #expect(hours.map(\.up.most) == [4_000, 4_080] && hours[0].up.mean == 3_980)
            #expect(hours.map(\.datagramsLost) == [4, 1] && hours.map(\.roundTrip) == [700, 700])
            try await core.write { try $0.run("UPDATE node_link_estimate SET estimate = '{}'") }
            let anew = try await LinkMeasure.restored(core: core, account: node.id.text, profile: profile)
            #expect(anew.real == profile)
        }
    }

    @Test("the history keeps 840 hours of a link, by number and by time, whatever the clock does")
    func bounded() async throws {
        try await TestNode.with { node in
            let core = node.node.core
            let last = LinkHour.hour(of: node.time.now())
            try await core.write { transaction in
                for hour in (last - 900)...last { try transaction.save("{}", [LinkHour(hour: hour)], for: "a") }
                // Hours of a clock that was wrong.
                for hour in 1...900 {
                    try transaction.save("{}", [LinkHour(hour: last + 5_000 + Int64(hour))], for: "b")
                }
            }
            let kept = try await core.read {
                try ($0.history(of: "a", limit: 5_000), $0.history(of: "b", limit: 5_000))
            }
            #expect(kept.0.count == 840 && kept.0.last?.hour == last && kept.0.first?.hour == last - 839)
            #expect(kept.1.count == 840)
        }
    }

    @Test("the history is asked for by link, and a node that is no peer is refused")
    func asked() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(name: "one")
        try await one.add(other)
        let name = other.id.text
        let hour = LinkHour(at: one.time.now())
        try await one.node.core.write { try $0.save("{}", [hour], for: name) }
        let all = try await one.control(["request": "link_history"]).array?.compactMap(\.object)
        #expect(all?.count == 1 && all?.first?["peer"]?.string == name)
        #expect(all?.first?["hours"]?.array?.first?.object == hour.object)
        let asked = try await one.control(["request": "link_history", "node": .string(name), "hours": 1])
        #expect(asked.array?.count == 1)
        await #expect(throws: ProtocolError.self) {
            _ = try await one.control(["request": "link_history", "node": .string(one.id.text)])
        }
        for hours: JSONValue in [0, 841] {
            await #expect(throws: ProtocolError.self) {
                _ = try await one.control(["request": "link_history", "hours": hours])
            }
        }
        one.remove()
        other.remove()
    }

    @Test("`spool why` and `link status` say that the tier holds a text back; by hand it goes (G-72)")
    func explained() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let long = alice.person.message(to: "@" + bob.person.id.text, ciphertext: 1_025)
            _ = try await alice.client.send(long)
            let short = alice.person.message(to: "@" + bob.person.id.text, ciphertext: 1_024)
            _ = try await alice.client.send(short)
            try await one.settle(with: other)
            try await eventually("the short text") { bob.client.outbox.has([short]) }
            #expect(!bob.client.outbox.has([long]))
            let why = try await one.control([
                "request": "spool_why", "item": .string(long["id"]?.string ?? ""),
            ])
            let copy = why.object?["copies"]?.array?.first?.object
            let holds = copy?["holds"]?.array?.compactMap(\.object) ?? []
            let tier = holds.first { $0["reason"] == "tier" }
            #expect(tier?["words"]?.string?.contains("1,024 B") == true && copy?["forecast"] == .null)
            let link = try await one.control(["request": "links"]).array?.first?.object
            #expect(
                link?["holds"]?.array?.contains { $0.object?["reason"] == "tier" } == true,
                "\(link?["holds"] ?? .null)")
            // Carried by hand it is no matter of the link.
            let export = try await one.control(["request": "export", "to": .string(other.id.text)])
            _ = try await other.control(["request": "import", "records": export.object?["records"] ?? []])
            try await eventually("the long text") { bob.client.outbox.has([short, long]) }
        }
    }
}
