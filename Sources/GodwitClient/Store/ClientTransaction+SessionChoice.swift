import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Which of the sessions with a device is written on (docs/protocol.md §4.2).
extension ClientTransaction {
    /// The session on which the next message to a device goes: of those that can send the newest, that is the one of the
    /// highest generation; of several the one with the smallest id. Two devices that open or rotate sessions towards each
    /// other at the same time so come to agree on one. A session whose sending chain has served its time is rotated.
    ///
    /// - Returns: nil while there is none; then look the user up.
    func sendingSession(with user: UserID, _ device: DeviceID) throws -> Session? {
        guard let newest = try newestSession(with: user, device) else { return nil }
        return try rotation(of: newest, with: user, device) ?? newest.session
    }

    /// Whether something can be written to a device at once. Changes nothing.
    func hasSession(with user: UserID, _ device: DeviceID) throws -> Bool {
        try newestSession(with: user, device) != nil
    }

    /// Whether a user can be written to at once, on any device.
    func hasSession(with user: UserID) throws -> Bool {
        try rows("SELECT device FROM client_device WHERE user = ?", [user.text]).contains { row in
            try hasSession(with: user, Self.stored { try DeviceID(row["device"] as String) })
        }
    }

    /// A session as it is kept.
    struct KeptSession {
        var session: Session
        /// The device's age when the first message of the sending chain was written, or the chain began.
        var since: Int64
    }

    private func newestSession(with user: UserID, _ device: DeviceID) throws -> KeptSession? {
        for row in try rows(
            """
            SELECT state, since, used FROM client_session WHERE user = ? AND device = ?
            ORDER BY generation DESC, session
            """, [user.text, device.text])
        {
            let kept = KeptSession(
                session: try Self.stored { try Session(decoding: row.blob("state")) }, since: row["since"])
            guard kept.session.ratchet.canSend, try !isStale(kept, opened: row["used"]) else { continue }
            return kept
        }
        return nil
    }

    /// A session that was opened in advance and never used is good for as long as the pre-key that it was opened with.
    private func isStale(_ kept: KeptSession, opened: Int64) throws -> Bool {
        guard kept.session.pendingPreKey != nil, kept.session.ratchet.sendingPosition == 0 else { return false }
        return try !isFresh(came: kept.since, received: opened)
    }

    /// The session on which a user's first device that can be reached is written to.
    func sendingSession(with user: UserID) throws -> (device: DeviceID, session: Session)? {
        let candidates = try rows(
            """
            SELECT d.device FROM client_device d WHERE d.user = ?
            ORDER BY (SELECT min(session) FROM client_session s WHERE s.user = d.user AND s.device = d.device)
            """, [user.text])
        for row in candidates {
            let device = try Self.stored { try DeviceID(row["device"] as String) }
            if let session = try sendingSession(with: user, device) { return (device, session) }
        }
        return nil
    }
}
