import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

extension NodeTransaction {
    /// Open sessions of a user; one more ends the oldest.
    static let sessionsMax = 64

    /// Stores a session that was opened or refreshed, and forgets those that are over.
    func open(_ session: SessionRecord) throws {
        try run("DELETE FROM node_session WHERE expires <= ?", [now.milliseconds])
        let evicted = try sessions(of: session.user).dropFirst(Self.sessionsMax - 1).map(\.name)
        if !evicted.isEmpty { aftermath.endedSessions[session.user, default: []].formUnion(evicted) }
        try run(
            """
            DELETE FROM node_session WHERE token IN (
              SELECT token FROM node_session WHERE user = ? ORDER BY issued DESC, token LIMIT -1 OFFSET ?)
            """, [session.user.text, Self.sessionsMax - 1])
        try run(
            """
            INSERT INTO node_session (token, session, user, device, opened, issued, expires)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                session.token, session.name, session.user.text, session.device?.text, session.opened.milliseconds,
                session.issued.milliseconds, session.expires.milliseconds,
            ])
    }

    /// The session of a token's id, if it is open.
    func session(token: String) throws -> SessionRecord? {
        try row(Self.sessionColumns + "WHERE token = ?", [token]).map(Self.session)
    }

    /// A user's open sessions, the newest first.
    func sessions(of user: UserID) throws -> [SessionRecord] {
        try rows(
            Self.sessionColumns + "WHERE user = ? AND expires > ? ORDER BY issued DESC, token",
            [user.text, now.milliseconds]
        ).map(Self.session)
    }

    /// Ends a user's session of this name, or all of them.
    /// - Returns: the names of those that were open.
    @discardableResult
    func endSessions(of user: UserID, named name: String? = nil) throws -> Set<String> {
        let names = Set(try sessions(of: user).map(\.name)).filter { name ?? $0 == $0 }
        for name in names {
            try run("DELETE FROM node_session WHERE user = ? AND session = ?", [user.text, name])
        }
        return names
    }

    func openSessions() throws -> Int {
        try row("SELECT count(*) AS count FROM node_session WHERE expires > ?", [now.milliseconds])?["count"] ?? 0
    }

    func end(token: String) throws { try run("DELETE FROM node_session WHERE token = ?", [token]) }

    private static let sessionColumns = """
        SELECT token, session, user, device, opened, issued, expires FROM node_session

        """

    private static func session(_ row: Row) throws -> SessionRecord {
        SessionRecord(
            token: row["token"], name: row["session"], user: try UserID(row["user"] as String),
            device: try (row["device"] as String?).map { text in try DeviceID(text) },
            opened: Timestamp(milliseconds: row["opened"]), issued: Timestamp(milliseconds: row["issued"]),
            expires: Timestamp(milliseconds: row["expires"]))
    }

    /// Takes all from a device that has left its user's list: sessions, frames on their way, and what waits. Authors of
    /// messages that no other device of the user gets are told.
    func revoke(_ device: DeviceID, of user: UserID) throws {
        let party = Party.device(user, device)
        aftermath.revoked.insert(party)
        try audit(.deviceRevoked, user, device.text)
        try run("DELETE FROM node_session WHERE user = ? AND device = ?", [user.text, device.text])
        try run("DELETE FROM node_introduction WHERE party = ?", [party.text])
        try run("DELETE FROM node_latest WHERE party = ?", [party.text])
        if try !spool.inFlight(to: party).isEmpty {
            let present = try spool.nextFrame(to: party).incarnation
            try spool.renewIncarnation(to: party, incarnation: present == .max ? 1 : present + 1)
        }
        for key in try spool.keys(for: party) {
            let others = try spool.custody(of: key.id).contains {
                $0.destination != party && $0.destination.user == user
            }
            // Rows end in their order, so this one is the oldest.
            let item = key.kind == .message && !others ? try? spool.items(for: party, limit: 1).first : nil
            try spool.release([key.row])
            // What goes to a channel did not fail for one reader.
            guard let item, item.row == key.row, case .direct? = try? Message(parsing: item.body).address else {
                continue
            }
            try refuse(
                item.id.bytes, of: Self.author(of: item),
                because: ProtocolError(
                    .userNotFound, "The reader's device was revoked before it had the message.",
                    hint: "Look the user up again, and send it anew."))
        }
    }

    /// The device that wrote a message in custody.
    static func author(of item: SpoolItem) -> Party {
        attribution(
            of: BatchItem(kind: .message, body: item.body, created: item.created, priority: item.priority),
            from: item.destination
        ).author
    }
}

/// An open session as it is stored.
struct SessionRecord: Hashable, Sendable {
    /// The `jti` of its present token.
    var token: String
    /// Stays when the token is refreshed.
    var name: String
    var user: UserID
    var device: DeviceID?
    /// When the user proved who he is.
    var opened: Timestamp
    /// When the present token was issued.
    var issued: Timestamp
    var expires: Timestamp
}
