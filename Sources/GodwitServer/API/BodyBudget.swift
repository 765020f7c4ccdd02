import GodwitProtocol
import Synchronization

/// How many bytes of bodies that are still arriving the REST interface holds, over all requests. Each has a bound of
/// its own; many that trickle would together fill a small box's memory.
final class BodyBudget: Sendable {
    /// Seconds after which whoever found no room asks again.
    static let pause: Int64 = 5

    private let most: Int
    private let held = Mutex(0)

    init(most: Int) { self.most = most }

    /// Bytes that are held now.
    var bytes: Int { held.withLock { $0 } }

    /// - Throws: `ProtocolError` 3002 when there is no room; nothing is taken then.
    func take(_ bytes: Int) throws(ProtocolError) {
        let fits = held.withLock { held in
            guard held + bytes <= most else { return false }
            held += bytes
            return true
        }
        guard !fits else { return }
        throw ProtocolError(
            .rateLimited, "Too many bodies of requests are arriving at the same time.",
            hint: "Wait for the stated time.",
            details: ["retry_after": .integer(Self.pause), "limit": .string("bodies")])
    }

    func giveBack(_ bytes: Int) { held.withLock { $0 -= bytes } }
}
