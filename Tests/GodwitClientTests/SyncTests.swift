import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitClient

@Suite("Sync over a carrier (D-8, D-11)")
struct SyncTests {
    @Test("devices that speak to their node only in bursts hold a conversation in a channel and in private")
    func conversation() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let gate = Gate(hub)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await ines.send(text: "before anybody is there", to: .channel(id))
        try await olena.joinChannel(id)
        try await olena.send(text: "private", to: .user(ines.userID))
        for _ in 0..<4 { for device in [ines, olena] { _ = try await device.sync(over: gate) } }
        for number in 0..<30 { try await ines.send(text: "line \(number) of the report", to: .channel(id)) }
        #expect(try await ines.outbox(limit: 100).filter { $0.state == .sealed }.count == 30)
        let report = try await ines.sync(over: gate)
        #expect(report.releasedItems >= 30)
        #expect(try await ines.outbox(limit: 100).allSatisfy { $0.state == .atNode })
        _ = try await olena.sync(over: gate)
        let conversation = Conversation.channel(id)
        #expect(
            try await olena.inbox(conversation: conversation).map(\.text)
                == (0..<30).map { "line \($0) of the report" })
        #expect(try await ines.texts() == ["private"])
        _ = try await ines.sync(over: gate)
        _ = try await olena.sync(over: gate)
        #expect(try await olena.outbox().map(\.state) == [.delivered])
        #expect(try await olena.codes() == [])
    }

    @Test("a link that breaks after any record loses nothing and repeats nothing", arguments: 0..<4)
    func brokenLink(after records: Int) async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let gate = Gate(hub)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await olena.joinChannel(id)
        for _ in 0..<4 { for device in [ines, olena] { _ = try await device.sync(over: gate) } }
        let texts = (0..<40).map { "\($0): " + String(repeating: "water \($0 * 7919 % 1000) ", count: 20) }
        for text in texts { try await ines.send(text: text, to: .channel(id)) }
        _ = try await ines.sync(over: gate)
        gate.breaksAfter.withLock { $0 = records }
        for _ in 0..<2 {
            await #expect(throws: ProtocolError.self) { _ = try await olena.sync(over: gate) }
        }
        gate.breaksAfter.withLock { $0 = nil }
        _ = try await olena.sync(over: gate)
        let complete = try await olena.texts() == texts
        #expect(complete)
        #expect(try await olena.status().held == 0)
        #expect(try await olena.codes() == [])
    }

    /// A carrier over which a contact fails while the device's store goes away.
    private struct FailingCarrier: Carrier {
        let device: Device
        let error: any Error

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            try await device.close()
            throw error
        }
    }

    @Test("when contact and store both fail, the contact's failure is told first, and the other is not hidden")
    func bothFail() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let broken = ProtocolError(.nodeUnreachable, "The link broke.", hint: "Try again.")
        let error = await #expect(throws: ProtocolError.self) {
            _ = try await ines.sync(over: FailingCarrier(device: ines, error: broken))
        }
        #expect(error?.code == .nodeUnreachable && error?.message == "The link broke." && error?.hint == "Try again.")
        #expect(error?.details["afterwards"]?.string?.contains("spool_closed") == true)
        let failure = await #expect(throws: SyncFailure.self) {
            _ = try await olena.sync(over: FailingCarrier(device: olena, error: CancellationError()))
        }
        #expect(failure?.contact is CancellationError)
        #expect((failure?.afterwards as? SpoolError)?.code == .closed)
    }

    @Test("frames of an incarnation that was forgotten show nothing twice when they come again (D-8)")
    func forgottenIncarnation() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let gate = Gate(hub)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await olena.joinChannel(id)
        try await olena.send(text: "private", to: .user(ines.userID))
        for _ in 0..<5 { for device in [ines, olena] { _ = try await device.sync(over: gate) } }
        gate.handedOut.withLock { $0 = [] }
        try await ines.send(text: "Road 7 is open", to: .channel(id))
        try await ines.send(text: "for olena", to: .user(olena.userID))
        _ = try await ines.sync(over: gate)
        _ = try await olena.sync(over: gate)
        let frames = gate.handedOut.withLock { $0 }.filter { record in
            (try? SealedFrame(record)).map { $0.header.number > 0 } ?? false
        }
        let before = try await olena.inbox()
        #expect(Set(before.map(\.text)) == ["Road 7 is open", "for olena"])
        _ = try await olena.sync(over: gate)
        let home = Party.node(hub.id)
        // The node draws incarnations until the device has forgotten the one of those frames.
        let olenas = olena.party
        for incarnation in 1...UInt32(SpoolConfiguration.incarnationsMax) {
            try await gate.spool.write { try $0.renewIncarnation(to: olenas, incarnation: incarnation) }
            _ = try await olena.sync(over: gate)
        }
        let store = olena.store
        let old = try #require(try frames.first.map { try SealedFrame($0).header.incarnation })
        let known = try await store.spool.read { try $0.inbound(from: home) }
        #expect(!known.contains { $0.incarnation == old })
        let intake = FrameIntake(
            spool: store.spool, receiver: DeviceReceiver(store: store),
            identity: ContactIdentity(party: olena.party, noiseKey: store.context.noise),
            directory: HomeDirectory(home: try olena.homeKey, own: store.context.noise.publicKey))
        var items = 0
        for frame in frames { items += try await intake.take(frame).items }
        #expect(items >= 2, "the frames are committed anew, so what is in them has to be recognised")
        #expect(try await olena.inbox() == before)
        #expect(try await olena.codes() == [])
        #expect(try await olena.status().queued == 0, "no second receipt")
        #expect(try await olena.status().pending == 0)
    }

    @Test("a node that does not know the device refuses it with 1000, and everything stays queued")
    func unknownDevice() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        await hub.forget(ines.party)
        let gate = Gate(hub)
        try await ines.createChannel(try ChannelName("#one"))
        let error = await #expect(throws: ProtocolError.self) { _ = try await ines.sync(over: gate) }
        #expect(error?.code == .invalidCredentials)
        #expect(try await ines.status().queued == 1)
    }
}
