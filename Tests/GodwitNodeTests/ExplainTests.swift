import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// `godwit spool explain-batch` and `godwit spool why` (issue 3, "Columns" and "Forecast").
@Suite("Explanations")
struct ExplainTests {
    typealias Enrolled = FederationTests.Enrolled

    /// The records of an export, with alice's messages to bob in them.
    private static func exported(_ one: TestNode, _ other: TestNode, _ alice: Enrolled, _ bob: Enrolled) async throws
        -> [JSONValue]
    {
        for _ in 0..<12 { _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text)) }
        let export = try await one.control(["request": "export", "to": .string(other.id.text)])
        return export.object?["records"]?.array ?? []
    }

    private static func explain(_ node: TestNode, _ records: [JSONValue]) async throws -> [JSONObject] {
        try await node.control(["request": "explain", "records": .array(records)]).array?.compactMap(\.object) ?? []
    }

    private static func sum(_ columns: JSONValue?) -> Int64 {
        (columns?.object?.members ?? []).reduce(0) { $0 + ($1.value.object?["wire"]?.integer ?? 0) }
    }

    @Test("every byte stands in a column, at the node that is meant and at the one that sent it")
    func addsUp() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let records = try await Self.exported(one, other, alice, bob)
            for (node, opened) in [(one, ["no", "spool"]), (other, ["seal", "seal"])] {
                let explained = try await Self.explain(node, records)
                #expect(explained.map { $0["opened"]?.string } == opened)
                for (record, whole) in zip(explained, records) {
                    let size = Int64(Base64.decode(whole.string ?? "")?.count ?? 0)
                    #expect(record["bytes"]?.integer == size && Self.sum(record["columns"]) == size)
                }
                let items = explained[1]["items"]?.array?.compactMap(\.object) ?? []
                #expect(items.count { $0["kind"]?.string == "message" } == 12)
                #expect(items.allSatisfy { Self.sum($0["columns"]) == $0["wire"]?.integer })
                let content = explained[1]["columns"]?.object?["content"]?.object?["wire"]?.integer
                #expect(content == 384, "12 times 48 bytes of ciphertext, of which 16 are a tag")
            }
            // What was acknowledged is not kept: of its bytes only the seal can be told apart.
            try await one.settle(with: other)
            let late = try await Self.explain(one, records)
            #expect(late[1]["opened"]?.string == "no" && Self.sum(late[1]["columns"]) == late[1]["bytes"]?.integer)
        }
    }

    @Test("altered, cut and foreign records are refused with their place")
    func refused() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let records = try await Self.exported(one, other, alice, bob)
            let whole = try #require(records[1].string.flatMap(Base64.decode))
            var altered = whole
            altered[whole.count / 2] ^= 4
            var header = whole
            header[2] ^= 1
            for bytes in [altered, header, Array(whole.dropLast()), Array(whole.prefix(40)), []] {
                await #expect(throws: ProtocolError.self) {
                    _ = try await Self.explain(other, [records[0], .string(Base64.encode(bytes))])
                }
            }
            do {
                _ = try await Self.explain(other, [records[0], .string(Base64.encode(altered))])
            } catch let error as ProtocolError {
                #expect(error.message.contains("record 2"))
            }
            let short = Array(whole.dropLast())
            await #expect(throws: ProtocolError.self) {
                _ = try await Self.explain(one, [.string(Base64.encode(short))])
            }
        }
    }

    // MARK: Why

    private static func why(_ node: TestNode, _ id: ItemID) async throws -> JSONObject {
        try await node.control(["request": "spool_why", "item": .string(Hex.encode(id.bytes))]).object ?? [:]
    }

    private static func reasons(_ copy: JSONObject?) -> [String] {
        (copy?["holds"]?.array ?? []).compactMap { $0.object?["reason"]?.string }
    }

    private static func enqueue(
        _ node: TestNode, for party: Party, _ priority: PriorityClass = .channelText, size: Int = 300
    ) async throws -> ItemID {
        let object: JSONObject = ["noise": .string(Base64.encode(SystemRandom().bytes(size)))]
        let body = object.canonicalBytes()
        let id = ItemID(SHA256Digest.of(body))
        try await node.node.core.write {
            try $0.enqueue(
                NewItem(
                    id: id, kind: .object, body: body, destination: party, priority: priority,
                    created: TestTime.start, lifetime: 100_000_000))
        }
        return id
    }

    @Test("says that the peer calls, which frame holds it, and when it was taken over")
    func states() async throws {
        try await TestNode.with { one in
            try await TestNode.with { other in
                try await one.add(other)
                try await other.add(one, calls: true)
                let party = Party.node(other.id)
                let first = try await Self.enqueue(one, for: party)
                let id = try await Self.enqueue(one, for: party)
                let waiting = try await Self.why(one, id)["copies"]?.array?.first?.object
                #expect(waiting?["state"]?.string == "waiting" && Self.reasons(waiting) == ["peer_calls"])
                #expect(waiting?["ahead"]?.object?["items"]?.integer == 1)
                #expect(waiting?["forecast"]?.isNull == true, "nobody knows when it calls")
                // 300 bytes of noise in base64: nothing saves more than a quarter.
                let cost = waiting?["cost"]?.object
                #expect((300...460).contains(cost?["bytes"]?.integer ?? 0))
                #expect(cost?["money"]?.number ?? 0 > 0.001)

                let key = PeerKey(party: party, noiseKey: other.node.home.noiseKey.publicKey)
                let (outlet, limits) = await one.node.links.outlet(for: party)
                #expect(try await outlet.next(to: key, limits) != nil)
                let framed = try await Self.why(one, id)["copies"]?.array?.first?.object
                #expect(framed?["state"]?.string == "framed")
                #expect(framed?["frame"]?.object?["number"]?.integer == 1)
                #expect(Self.reasons(framed).first == "unacknowledged")

                one.time.advance(milliseconds: 5_000)
                try await one.contact(other)
                let gone = try await Self.why(one, first)
                #expect(gone["copies"]?.array?.isEmpty == true)
                let end = gone["gone"]?.array?.first?.object
                #expect(end?["state"]?.string == "forwarded" && end?["destination"]?.string == party.text)
                #expect(end?["at"]?.string == one.time.now().description)
                let late = try await Self.enqueue(one, for: party)
                try await one.node.expire(elapsed: 100_000_000)
                let expired = try await Self.why(one, late)["gone"]?.array?.first?.object
                #expect(expired?["state"]?.string == "expired")
                await #expect(throws: ProtocolError.self) {
                    _ = try await Self.why(one, ItemID([UInt8](repeating: 3, count: 32)))
                }
            }
        }
    }

    @Test("a closed window holds an item until it opens, and the forecast says when it goes and at what cost")
    func window() async throws {
        var profile = Profile.preset(.satellite)
        profile.name = "night"
        // The test's clock begins on a Saturday, 2025-09-06 at 10:30 UTC.
        profile.contactPlan = ContactPlan(windows: [ContactPlan.Window(from: 22 * 60, to: 23 * 60)])
        let other = try await TestNode(name: "other")
        let one = try await TestNode(
            name: "one", profiles: ["night": profile], carrier: { _, _ in InProcess(service: other.node.exchange) })
        try await one.add(other, calls: true, profile: "night")
        let running = Task { try await one.node.run() }
        let urgent = try await Self.enqueue(one, for: .node(other.id), .directText, size: 3_000)
        let id = try await Self.enqueue(one, for: .node(other.id))
        try await eventually("the window's hold") {
            Self.reasons(try await Self.why(one, id)["copies"]?.array?.first?.object).contains("window")
        }
        let opens = try #require(profile.contactPlan.opens(after: one.time.now()))
        let copy = try await Self.why(one, id)["copies"]?.array?.first?.object
        let hold = copy?["holds"]?.array?.first?.object
        #expect(hold?["until"]?.string == opens.description)
        let ahead = try await Self.why(one, urgent)["copies"]?.array?.first?.object
        func sent(_ copy: JSONObject?) -> Double { copy?["forecast"]?.object?["sent_in_seconds"]?.number ?? 0 }
        let wait = Double(opens.milliseconds - one.time.now().milliseconds) / 1000
        #expect(sent(ahead) > wait + 2 && sent(ahead) < wait + 10, "3,000 bytes at 9,600 bit/s")
        #expect(sent(copy) > sent(ahead), "it goes behind the urgent one")
        let status = try await one.control(["request": "links"]).array?.first?.object
        #expect(status?["window"]?.object?["opens"]?.string == opens.description)
        #expect(status?["phase"]?.string == "window_closed")
        let queue = status?["queue"]?.array?.compactMap(\.object) ?? []
        #expect(queue.compactMap { $0["class"]?.string } == ["direct", "channel"])
        #expect(queue.allSatisfy { $0["forecast"]?.object?["sent_at"]?.string ?? "" > opens.description })
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }
}
