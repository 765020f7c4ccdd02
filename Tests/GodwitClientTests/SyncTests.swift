import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitClient

/// The hub's end of real exchanges: sealed frames, acknowledgements and all, over a carrier in memory.
private final class Gate: Carrier {
    let hub: Hub
    let spool = MemorySpool()
    let service: ContactAnswerer<MemorySpool, Inbound>
    /// Records of the next answer after which the link breaks.
    let breaksAfter = Mutex<Int?>(nil)

    /// Notes what frames brought; the hub looks at it after the exchange.
    final class Inbound: ItemReceiver {
        let items = Mutex<[(BatchItem, Party)]>([])

        func commit(_ new: [BatchItem], from peer: Party, in transaction: MemoryTransaction) throws {
            items.withLock { $0 += new.map { ($0, peer) } }
        }
        func committed(from peer: Party) async {}
    }

    struct Directory: PeerDirectory {
        let hub: Hub

        func candidates(for hint: FrameHint) async throws -> [PeerKey] {
            try await hub.publications.compactMap { party, publication in
                guard let entry = publication.deviceList.devices.first else { return nil }
                let key = try AgreementPublicKey(entry.noiseKey)
                guard FrameHint(sender: key, receiver: hub.noise.publicKey) == hint else { return nil }
                return PeerKey(party: party, noiseKey: key)
            }
        }
    }

    let inbound = Inbound()

    init(_ hub: Hub) {
        self.hub = hub
        let identity = ContactIdentity(party: .node(hub.id), noiseKey: hub.noise)
        let outlet = FrameOutlet(
            spool: spool, identity: identity,
            weights: ClassWeights(
                revocation: 1, directText: 1, channelText: 1, voice: 1, document: 1, image: 1, bulk: 1))
        service = ContactAnswerer(
            intake: FrameIntake(
                spool: spool, receiver: inbound, identity: identity, directory: Directory(hub: hub))
        ) { _ in (outlet, OutletLimits(frame: .kibibytes(1), exchange: .kibibytes(64))) }
    }

    /// Lets the hub act on what came, and queues what it has for its devices.
    func work() async throws {
        let items = inbound.items.withLock { items in
            defer { items = [] }
            return items
        }
        for (item, party) in items { try await hub.take(item, from: party) }
        for party in await hub.publications.keys {
            for item in await hub.drain(party) {
                let id = ItemID(
                    item.kind == .message ? try Message(parsing: item.body).hash.bytes : SHA256Digest.of(item.body))
                let kind: ItemKind = item.kind == .message ? .message : item.kind == .receipt ? .receipt : .object
                _ = try await spool.write { transaction in
                    try transaction.enqueue(
                        NewItem(
                            id: id, kind: kind, body: item.body, destination: party, priority: item.priority,
                            created: item.created, lifetime: item.lifetime))
                }
            }
        }
    }

    func exchange(
        _ records: [[UInt8]], receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let session = await service.openExchange()
        for record in records { try await session.receive(record) }
        try await work()
        var handed = 0
        while let record = try await session.next() {
            if breaksAfter.withLock({ $0 }) == handed {
                throw ProtocolError(.nodeUnreachable, "The link broke.")
            }
            try await receive(record)
            handed += 1
        }
        return ExchangeStatistics(
            sent: ByteCount(records.reduce(0) { $0 + $1.count }), received: .zero, duration: 1, reusedConnection: true)
    }
}

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
