import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// A device that knows what the links of its home node carry (NET-09, NET-14, G-72).
@Suite("Texts for thin links")
struct ThinLinkTests {
    private static let far = "b4n8p2x7"

    private static func notice(
        _ device: Device, next: String = far, tier: Int64 = 1, text: Int64? = 140, held: MessageHash? = nil,
        from: NodeID? = nil, at: Timestamp = Timestamp(milliseconds: 1_757_154_600_123)
    ) throws -> JSONObject {
        LinkNotice(
            from: from ?? device.homeNode.id, to: device.party, next: try NodeID(next), at: at, tier: tier,
            allowed: .init(
                textMax: text, sealedMax: text == nil ? nil : 1_024, voice: "none", documents: false, images: false,
                mediaOnDemand: true, presence: false), held: held
        ).object
    }

    private static func told(_ hub: Hub, _ device: Device, _ notices: [JSONObject]) async throws {
        for notice in notices { await hub.push(notice, to: device.party) }
        try await hub.settle([device])
    }

    private static let text = String(repeating: "The river is rising at the bridge. ", count: 8)

    @Test("a text for a user behind a thin link goes in parts, and whole to anybody else")
    func parts() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        try await Self.told(hub, ines, [Self.notice(ines)])
        let thin = MessageTarget.user(try UserID(Self.far + ".olena"))
        let sent = try await ines.send(text: Self.text, to: thin, ifTooLong: .split)
        #expect(sent.entries.count == 3 && sent.link?.next.text == Self.far && sent.scalars == 280)
        #expect(sent.entries.allSatisfy { $0.text.unicodeScalars.count <= 140 })
        #expect(try await ines.outbox().map(\.row) == sent.entries.map(\.row), "in this order, all of them")
        let waiting = try await ines.send(text: Self.text, to: thin, ifTooLong: .wait)
        #expect(waiting.entries.map(\.text) == [Self.text] && waiting.link != nil)
        let short = try await ines.send(text: "short", to: thin, ifTooLong: .split)
        #expect(short.entries.map(\.text) == ["short"] && short.link == nil)
        let other = MessageTarget.user(try UserID("c5c5c5c5.olena"))
        #expect(try await ines.send(text: Self.text, to: other, ifTooLong: .split).entries.count == 1)
        let huge = String(repeating: Self.text, count: 8)
        #expect(try await ines.send(text: huge, to: thin, ifTooLong: .split).entries.map(\.text) == [huge], "it waits")
    }

    @Test("the newest word counts, whatever the order; a better link lifts the limit")
    func newest() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let thin = MessageTarget.user(try UserID(Self.far + ".olena"))
        let later = Timestamp(milliseconds: 1_757_154_700_000)
        try await Self.told(hub, ines, [Self.notice(ines, tier: 3, text: nil, at: later), Self.notice(ines)])
        #expect(try await ines.narrowestLink(towards: thin)?.tier == 3)
        #expect(try await ines.send(text: Self.text, to: thin, ifTooLong: .split).entries.count == 1)
        let last = Timestamp(milliseconds: 1_757_154_800_000)
        try await Self.told(hub, ines, [Self.notice(ines, tier: 2, text: 1_000, at: last)])
        #expect(try await ines.narrowestLink(towards: thin)?.allowed.textMax == 1_000)
    }

    @Test("the links of other nodes, and what is for other devices, change nothing")
    func strangers() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let thin = MessageTarget.user(try UserID(Self.far + ".olena"))
        try await Self.told(hub, ines, [Self.notice(ines, from: try NodeID("c5c5c5c5"))])
        await hub.push(try Self.notice(olena), to: ines.party)
        try await hub.settle([ines])
        #expect(try await ines.narrowestLink(towards: thin) == nil)
        #expect(try await ines.warnings().map(\.code) == [.misdirected])
    }

    @Test("the author of a message that is held hears so once")
    func held() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        try await ines.send(text: "hello", to: .user(olena.userID))
        try await hub.settle([ines, olena])
        let entry = try #require(try await ines.outbox().first)
        // A message that was delivered waits nowhere.
        try await Self.told(hub, ines, [Self.notice(ines, held: entry.hash)])
        #expect(try await ines.warnings().isEmpty == (entry.state == .delivered))
        let id = try hub.channelID("#flood")
        try await ines.createChannel(id.name)
        try await hub.settle([ines, olena])
        try await ines.send(text: "to the channel", to: .channel(id))
        try await hub.settle([ines, olena])
        let message = try #require(try await ines.outbox().last)
        for next in [Self.far, "c5c5c5c5", Self.far] {
            try await Self.told(hub, ines, [Self.notice(ines, next: next, held: message.hash)])
        }
        let warnings = try await ines.warnings().filter { $0.subject == message.id?.text }
        #expect(warnings.map(\.code) == [.held])
        #expect(warnings.first?.message.contains("1024 bytes") == true)
    }
}
