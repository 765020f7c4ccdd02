import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import Synchronization

/// Takes what broadcasts bring: as frames that came by hand, but most of them are for others.
///
/// Hints of peers are looked up in memory, so that what is for others costs no look into the store.
final class BroadcastIntake: BroadcastService {
    /// What became of records.
    private struct Tally {
        var items = 0
        var records = 0
        var repeated = 0
        var forOthers = 0
        var refused = 0
        var postponed = 0
        var released = 0
    }
    private struct State {
        /// Hints of all peers, as of so many clearings of the directory's cache.
        var hints: Set<FrameHint> = []
        var readAt: Int?
        var tally = Tally()
        /// nil: nobody listens.
        var heard: BroadcastCounts?
    }

    private let links: LinkBoard
    private let directory: NodeDirectory
    private let own: AgreementPublicKey
    private let state = Mutex(State())

    init(links: LinkBoard, directory: NodeDirectory, own: AgreementPublicKey) {
        self.links = links
        self.directory = directory
        self.own = own
    }

    func take(_ record: [UInt8]) async -> BroadcastVerdict {
        do {
            guard try await isForThisNode(try SealedFrame(record).header.hint) else {
                state.withLock { $0.tally.forOthers += 1 }
                return .forOthers
            }
            let taken = try await links.take(record)
            await links.outlet(for: taken.peer.party).0.heard(taken)
            state.withLock { state in
                state.tally.records += 1
                state.tally.items += taken.items
                state.tally.repeated += taken.isRepeat ? 1 : 0
                state.tally.released += taken.released
            }
            return taken.items > 0 || taken.released > 0 ? .taken : .repeated
        } catch {
            let isRefusal = Self.isRefusal(error)
            state.withLock { state in
                state.tally.refused += isRefusal ? 1 : 0
                state.tally.postponed += isRefusal ? 0 : 1
            }
            return isRefusal ? .refused : .later
        }
    }

    /// False for what may go another time: a quota, a disk, a store that closes.
    private static func isRefusal(_ error: any Error) -> Bool {
        if error is CryptoError { return true }
        let passing: Set<ErrorCode> = [.bandwidthExceeded, .rateLimited, .internalError, .maintenanceMode]
        return (error as? ProtocolError).map { !passing.contains($0.code) } ?? false
    }

    func note(_ counts: BroadcastCounts) { state.withLock { $0.heard = counts } }

    private func isForThisNode(_ hint: FrameHint) async throws -> Bool {
        // Asked for before the keys are read, so that a change meanwhile is seen the next time.
        let clearings = directory.cache.clearings
        if let known = state.withLock({ $0.readAt == clearings ? $0.hints.contains(hint) : nil }) { return known }
        let own = own
        let hints = try await directory.keys().filter { if case .node = $0.party { true } else { false } }
            .map { FrameHint(sender: $0.noiseKey, receiver: own) }
        return state.withLock { state in
            state.hints = Set(hints)
            state.readAt = clearings
            return state.hints.contains(hint)
        }
    }

    /// nil: the node does not listen for broadcasts.
    var report: JSONObject? {
        state.withLock { state in
            guard let heard = state.heard else { return nil }
            let tally = state.tally
            let numbers = [
                ("datagrams", heard.datagrams), ("refused_datagrams", heard.refused), ("objects", heard.objects),
                ("incomplete_objects", heard.incomplete), ("damaged_objects", heard.damaged),
                ("records", tally.records), ("items", tally.items), ("repeated_records", tally.repeated),
                ("for_others", tally.forOthers), ("refused_records", tally.refused),
                ("postponed_records", tally.postponed), ("released", tally.released),
            ]
            return JSONObject(uniqueKeysWithValues: numbers.map { ($0.0, .integer(Int64($0.1))) })
        }
    }
}
