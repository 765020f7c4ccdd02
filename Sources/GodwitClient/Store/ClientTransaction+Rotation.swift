import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// How long keys of sessions are used, and how long old ones are kept (docs/protocol.md §4.2; E2E-11, D-13). All of it by
/// the device's age; the clock on the wall can make a key go earlier, never later.
extension ClientTransaction {
    /// Messages of a sending chain.
    static let chainMessagesMax: UInt64 = 1_000
    /// How long after its first message a sending chain is used, in milliseconds.
    static let chainAgeMax: Int64 = 86_400_000
    /// How long another device's signed pre-key is used after it came, in milliseconds.
    static let peerKeyAgeMax: Int64 = 7 * 86_400_000
    /// Sessions with one device. So many rotations may go unanswered.
    static let sessionsMax = 40
    /// How long sessions and pre-keys are kept that are no longer in use: as long as messages to them may be under way.
    static let keptAgeMax = Message.defaultLifetime + peerKeyAgeMax

    /// The device's age now, also between contacts.
    func exactAge() throws -> Int64 {
        guard let row = try row("SELECT age, uptime FROM client_identity") else { return 0 }
        let (age, last): (Int64, Int64) = (row["age"], row["uptime"])
        return age + (last == 0 ? 0 : uptime >= last ? uptime - last : uptime)
    }

    /// Whether a pre-key that came then may still be used. A clock that was put back cannot tell: then it is old.
    func isFresh(came: Int64, received: Int64) throws -> Bool {
        let elapsed = now.milliseconds - received
        return try exactAge() - came < Self.peerKeyAgeMax && (0..<Self.peerKeyAgeMax).contains(elapsed)
    }

    /// The session that takes over from the newest one with a device, if that has served its time. It is stored.
    ///
    /// - Returns: nil as long as the newest one goes on: its time is not over, or the other side's pre-key has to be
    ///   asked for first.
    func rotation(of newest: KeptSession, with user: UserID, _ device: DeviceID) throws -> Session? {
        let session = newest.session
        let position = session.ratchet.sendingPosition
        guard position > 0, session.generation < .max,
            try position >= Self.chainMessagesMax || exactAge() - newest.since >= Self.chainAgeMax,
            let base = try base(of: session, with: user, device), base.canRotate
        else { return nil }
        guard
            let row = try row(
                "SELECT * FROM client_peer_key WHERE user = ? AND device = ?", [user.text, device.text]),
            try isFresh(came: row["came"], received: row["received"])
        else {
            try askForPreKeys(of: user)
            return nil
        }
        let next = try base.rotated(
            generation: session.generation + 1, signedPreKey: try AgreementPublicKey(row.blob("key")),
            signedPreKeyID: UInt32(row["id"] as Int64))
        try store(next, with: user, device, parent: base.id)
        try pruneSessions()
        return next
    }

    /// What a rotation follows from: the newest session, or what that follows from while the other side may lack it.
    private func base(of session: Session, with user: UserID, _ device: DeviceID) throws -> Session? {
        guard let use = session.pendingRotation else { return session }
        return try self.session(use.parent, with: user, device)
    }

    /// A full spool is no reason not to write on the session that there is.
    private func askForPreKeys(of user: UserID) throws {
        do {
            try inSavepoint { try self.lookUp(user, refresh: true) }
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            return
        }
    }

    /// Forgets sessions that nothing can come for any more, and those beyond the number that is kept. The newest with
    /// each device stays, and the one that it follows from.
    func pruneSessions() throws {
        try run(
            """
            DELETE FROM client_session WHERE (user, device, session) IN (
              SELECT user, device, session FROM (
                SELECT user, device, session, last, row_number() OVER pair AS place,
                  first_value(session) OVER pair AS newest, first_value(parent) OVER pair AS base
                FROM client_session WINDOW pair AS (PARTITION BY user, device ORDER BY generation DESC, session))
              WHERE session <> newest AND session IS NOT base AND (last <= ?1 OR place > ?2))
            """, [try exactAge() - Self.keptAgeMax, Self.sessionsMax])
    }
}
