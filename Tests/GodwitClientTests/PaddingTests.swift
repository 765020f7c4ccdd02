import GodwitBatch
import GodwitCompression
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Padding by the tier of the home link (D-9, SEC-13)")
struct PaddingTests {
    /// Bytes of ciphertext of one long text, written on a device that is opened over a link.
    private func ciphertext(over link: Profile, text: String) async throws -> (count: Int, packed: Int) {
        let hub = try Hub()
        let scratch = try Scratch()
        var ines = try await hub.enrol("ines", in: scratch)
        try await ines.close()
        ines = try await Device(directory: scratch.path, time: hub.time, link: link)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        let entry = try await ines.send(text: text, to: .channel(id))
        let item = try #require(try await ines.handOver().first { $0.kind == .message })
        let packed = try ContentCodec.pack(try ClearContent(entry.content).encoded())
        return (try Message(parsing: item.body).ciphertext.count, packed.count)
    }

    /// A text that no codec shortens to next to nothing.
    private static func text(_ count: Int) -> String {
        var random = SeededRandom(21)
        return String(decoding: (0..<count).map { _ in UInt8.random(in: 33...126, using: &random) }, as: UTF8.self)
    }

    @Test(
        "Tier 1 pads to steps of 8, Tier 2 and up to Padmé lengths",
        arguments: [
            (Profile.preset(.satellite), Padding.steps), (.preset(.meshnet), .steps), (.preset(.mobile), .padme),
            (.preset(.broadband), .padme),
        ])
    func tiers(link: Profile, padding: Padding) async throws {
        let (count, packed) = try await ciphertext(over: link, text: Self.text(3_000))
        #expect(Padding.steps.padded(packed) != Padding.padme.padded(packed), "the rules differ at this length")
        #expect(count == padding.padded(packed) + AEAD.tagCount)
    }

    @Test("a tier that the operator sets counts more than the rate")
    func override() {
        var link = Profile.preset(.satellite)
        #expect(Padding(over: link) == .steps)
        link.tierUp = .low
        #expect(Padding(over: link) == .padme)
        link = .preset(.broadband)
        link.tierUp = .ultraLow
        #expect(Padding(over: link) == .steps)
    }

    @Test("what fits in steps is written over every link; where Padmé would make it too large, steps serve (MSG-17)")
    func largest() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        var ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        let letters = Self.text(70_000)
        let store = ines.store
        let target = MessageTarget.channel(id)
        let now = hub.time.now()
        func fits(_ count: Int) async throws -> Bool {
            let content: JSONObject = ["text": .string(String(letters.prefix(count))), "format": "plain"]
            return try await store.read { (try? $0.pack(content, to: target, created: now)) != nil }
        }
        var (low, high) = (1_000, 70_000)
        while high - low > 1 {
            let middle = (low + high) / 2
            if try await fits(middle) { low = middle } else { high = middle }
        }
        // Longer by a little, for `send` writes more members than the content above has.
        let text = String(letters.prefix(low - 16))
        try await ines.close()
        ines = try await Device(directory: scratch.path, time: hub.time, link: .preset(.broadband))
        #expect(try await ines.send(text: text, to: target).state == .sealed)
        let error = await #expect(throws: ProtocolError.self) { try await ines.send(text: letters, to: target) }
        #expect(error?.code == .messageTooLarge)
    }
}
