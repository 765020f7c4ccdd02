import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitContact

/// What the tier of a link does not carry waits in custody and keeps nothing else waiting (NET-09, NET-10, NET-15, G-72).
@Suite("Contacts over a link of a low tier")
struct TierGateTests {
    private static let limits = OutletLimits(frame: ByteCount(2_000), exchange: ByteCount(8_000))

    /// A message whose ciphertext has so many bytes; its other members do not matter to a spool.
    private static func message(_ number: Int, sealed: Int) -> [UInt8] {
        let object: JSONObject = [
            "type": "text", "timestamp": "2026-01-01T00:00:00.000Z", "author": "abcdefgh.alice", "device": "abcdefgh",
            "channel": "#general", "channel_node": "abcdefgh", "seq": .integer(Int64(number)),
            "prev": number == 0 ? nil : .string(Base64.encode([UInt8](repeating: 3, count: 32))),
            "content": ["ciphertext": .string(Base64.encode([UInt8](repeating: UInt8(number % 250), count: sealed)))],
            "encryption": [
                "algorithm": "chacha20-poly1305", "key_id": "na342hl5nk7kx4ws", "nonce": "AQIDBAAAAAAAAAAA",
                "header": "",
            ],
            "epoch": .string(Base64.encode([UInt8](repeating: 9, count: 32))), "metadata": ["client": "test/1"],
            "signature": .string("ed25519:" + Base64.encode([UInt8](repeating: 1, count: 64))),
        ]
        let hash = MessageHash(
            linking: SHA256Digest.of(Message.body(of: object)),
            after: number == 0 ? nil : MessageHash([UInt8](repeating: 3, count: 32)))
        return object.setting("id", .string(hash.id.text)).canonicalBytes()
    }

    private static func enqueue(
        _ body: [UInt8], at end: End<some Spool>, to peer: Party, _ priority: PriorityClass = .channelText
    ) async throws {
        let item = NewItem(
            id: ItemID(SHA256Digest.of(body)), kind: .message, body: body, destination: peer, priority: priority,
            created: Timestamp(milliseconds: 1_750_000_000_000), lifetime: Message.defaultLifetime)
        _ = try await end.spool.write { try $0.enqueue(item) }
    }

    @Test("the sample is a message, so that its ciphertext is what is measured")
    func sample() throws {
        #expect(try Message(parsing: Self.message(1, sealed: 1_025)).ciphertext.count == 1_025)
    }

    @Test("classes that the tier does not carry stay, text goes, and no contact is made for what stays")
    func classes() async throws {
        try await Stores.memory.with { try await Self.classes($0) }
        try await Stores.sqlite.with { try await Self.classes($0) }
    }

    private static func classes(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        await hop.left.outlet.keep(to: .of(.ultraLow))
        for (number, priority) in [PriorityClass.voice, .document, .image, .bulk].enumerated() {
            try await hop.left.enqueue(number, to: party, priority)
        }
        #expect(try await !hop.left.outlet.isBusy(for: party))
        let text = try await hop.left.enqueue(9, to: party, .directText)
        #expect(try await hop.left.outlet.isBusy(for: party))
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(hop.right.keeper.received.all == [text])
        #expect(!report.more && report.exchanges <= 2, "what stays keeps no contact going")
        #expect(try await hop.left.waiting(for: party) == 4)
        // The link gets better: documents and voice of Tier 2, then everything.
        await hop.left.outlet.keep(to: .of(.low))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(try await hop.left.waiting(for: party) == 2)
        await hop.left.outlet.keep(to: .of(.medium))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(try await hop.left.waiting(for: party) == 0)
        #expect(hop.right.keeper.received.all.count == 5)
    }

    @Test("a text goes up to the tier's sealed size and waits beyond it, wherever it stands in the queue")
    func sizes() async throws {
        try await Stores.memory.with { try await Self.sizes($0) }
        try await Stores.sqlite.with { try await Self.sizes($0) }
    }

    private static func sizes(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        await hop.left.outlet.keep(to: .of(.ultraLow))
        // More of them in front than are looked at in one go.
        for number in 0..<60 {
            try await enqueue(message(number, sealed: 1_025 + number * 40), at: hop.left, to: party)
        }
        #expect(try await !hop.left.outlet.isBusy(for: party))
        #expect(await hop.left.outlet.tooLargeCount == 60)
        #expect(await hop.left.outlet.newlyHeld().count == 60)
        #expect(await hop.left.outlet.newlyHeld().isEmpty, "once each")
        let edge = message(100, sealed: 1_024)
        try await enqueue(edge, at: hop.left, to: party)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(hop.right.keeper.received.all == [edge])
        #expect(!report.more && report.exchanges <= 2)
        // By hand everything goes.
        var byHand = limits
        byHand.ignoresTier = true
        #expect(try await hop.left.outlet.next(to: hop.right.key, limits) == nil)
        #expect(try await hop.left.outlet.next(to: hop.right.key, byHand) != nil)
        await hop.left.outlet.keep(to: .of(.low))
        for _ in 0..<4 {
            _ = try await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        }
        #expect(try await hop.left.waiting(for: party) == 0)
        #expect(Set(hop.right.keeper.received.all).count == 61)
    }

    @Test("only texts are measured: what is no text and of a class that goes has no limit but the frame's")
    func others() async throws {
        try await Stores.memory.with { try await Self.others($0) }
    }

    private static func others(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        await hop.left.outlet.keep(to: .of(.ultraLow))
        try await enqueue(message(1, sealed: 4_000), at: hop.left, to: party, .revocation)
        try await hop.left.enqueue(2, to: party, .control, size: 5_000)
        try await enqueue(message(3, sealed: 4_000), at: hop.left, to: party, .directText)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(hop.right.keeper.received.all.count == 2)
        #expect(try await hop.left.waiting(for: party) == 1)
    }

    @Test("what has left the queue is forgotten: an item in its place goes")
    func forgets() async throws {
        try await Stores.memory.with { try await Self.forgets($0) }
    }

    private static func forgets(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        await hop.left.outlet.keep(to: .of(.ultraLow))
        try await enqueue(message(1, sealed: 2_000), at: hop.left, to: party)
        #expect(try await !hop.left.outlet.isBusy(for: party))
        let rows = try await hop.left.spool.read { try $0.items(for: party, limit: 9).map(\.row) }
        try await hop.left.spool.write { try $0.release(rows) }
        #expect(try await !hop.left.outlet.isBusy(for: party))
        try await hop.left.enqueue(2, to: party)
        #expect(try await hop.left.outlet.isBusy(for: party))
        #expect(await hop.left.outlet.tooLargeCount == 0)
    }
}
