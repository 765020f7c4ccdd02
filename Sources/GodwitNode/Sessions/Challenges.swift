import GodwitCrypto
import GodwitProtocol

/// Challenges given out and not used yet. Bounded: when full, the oldest is forgotten.
struct Challenges {
    static let countMax = 10_000
    private struct Open {
        var user: UserID
        var challenge: AuthChallenge
        var uptime: Duration
    }
    private var open: [[UInt8]: Open] = [:]
    private var order: [[UInt8]] = []

    /// A fresh challenge of 32 bytes for a user, known or not.
    mutating func issue(
        to user: UserID, at now: Timestamp, uptime: Duration, from random: some RandomSource = SystemRandom()
    ) -> AuthChallenge {
        let challenge = AuthChallenge(challenge: random.bytes(32), timestamp: now)
        open[challenge.challenge] = Open(user: user, challenge: challenge, uptime: uptime)
        order.append(challenge.challenge)
        while open.count > Self.countMax || order.count > 2 * Self.countMax { open[order.removeFirst()] = nil }
        return challenge
    }

    /// Takes a challenge out: it is good once. Age is judged by uptime, for the wall clock may jump.
    /// - Throws: `ProtocolError` 1000 when it was never issued to the user, was used before, or is too old.
    mutating func redeem(
        _ bytes: [UInt8], by user: UserID, uptime: Duration
    ) throws(ProtocolError) -> AuthChallenge {
        guard let entry = open.removeValue(forKey: bytes), entry.user == user,
            uptime - entry.uptime <= .milliseconds(AuthChallenge.lifetime)
        else {
            throw ProtocolError(
                .invalidCredentials, "The login was refused.", hint: "Ask for a new challenge and sign it at once.")
        }
        return entry.challenge
    }
}
