import GodwitCrypto
import Synchronization

/// Keys of journal periods as they were unwrapped: every message needs one, and unwrapping costs more than sealing.
///
/// Found by what is stored, so that whatever a transaction undoes, nothing is found that is not there.
final class JournalKeys: Sendable {
    /// Periods that are remembered; beyond them all are forgotten.
    static let most = 64

    private let master: Mutex<Secret?> = Mutex(nil)
    private let known = Mutex<[[UInt8]: JournalPeriod]>([:])

    /// - Throws: `CryptoError` where the bytes are not what `JournalPeriod.wrapped` has made under this node's key.
    func period(keeps: Int64, slot: Int64, ends: Int64, wrapped: [UInt8], of node: SigningKey) throws -> JournalPeriod {
        if var period = known.withLock({ $0[wrapped] }) {
            period.ends = ends
            return period
        }
        let period = try JournalPeriod(keeps: keeps, slot: slot, ends: ends, wrapped: wrapped, by: master(of: node))
        known.withLock { known in
            if known.count >= Self.most { known = [:] }
            known[wrapped] = period
        }
        return period
    }

    /// The key that wraps those of periods.
    func master(of node: SigningKey) throws -> Secret {
        if let master = master.withLock({ $0 }) { return master }
        let made = try JournalPeriod.master(of: node)
        master.withLock { $0 = made }
        return made
    }

    /// To be called when keys were destroyed: a copy in memory would outlive them.
    func forget() { known.withLock { $0 = [:] } }
}
