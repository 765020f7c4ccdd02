import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization

@testable import GodwitClient

/// The hub's end of real exchanges: sealed frames, acknowledgements and all, over a carrier in memory.
final class Gate: Carrier {
    let hub: Hub
    let spool = MemorySpool()
    let service: ContactAnswerer<MemorySpool, Inbound>
    /// Records of the next answer after which the link breaks.
    let breaksAfter = Mutex<Int?>(nil)
    /// Every record that was handed out.
    let handedOut = Mutex<[[UInt8]]>([])

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
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let session = await service.openExchange()
        var sent = ByteCount.zero
        while let record = try await request.next() {
            sent += ByteCount(record.count)
            try await session.receive(record)
        }
        try await work()
        var handed = 0
        while let record = try await session.next() {
            if breaksAfter.withLock({ $0 }) == handed {
                throw ProtocolError(.nodeUnreachable, "The link broke.")
            }
            handedOut.withLock { $0.append(record) }
            try await receive(record)
            handed += 1
        }
        return ExchangeStatistics(
            sent: sent, received: .zero, duration: 1, reusedConnection: true)
    }
}
