import GRDB
import GodwitProtocol

/// What the audit log notes. Never contents, keys or addresses.
enum AuditEvent: String, Sendable, CaseIterable {
    case loginAccepted = "login_accepted"
    case loginRefused = "login_refused"
    case registered
    case loggedOutEverywhere = "logged_out_everywhere"
    case deviceRevoked = "device_revoked"
    case secondFactorSet = "second_factor_set"
    case secondFactorRemoved = "second_factor_removed"
    case recoveryCodeUsed = "recovery_code_used"
    case roleChanged = "role_changed"
    case heldReleased = "held_released"
    case heldDiscarded = "held_discarded"
    case accountErased = "account_erased"
    case peerAdded = "peer_added"
    case inviteMade = "invite_made"
    case maintenance
    case backup
    case reloaded
}

extension NodeTransaction {
    /// Events that are kept; one more forgets the oldest.
    static let auditMax: Int64 = 10_000

    /// Names a user in the log: whoever reads it can ask for a user, but sees no list of users.
    static func auditName(_ text: String) -> String {
        Base32.encode(SHA256Digest.of(Array("DCP1:audit".utf8) + [0], Array(text.utf8)).prefix(5))
    }

    /// Notes an event in the transaction that it belongs to.
    /// - Parameters:
    ///   - detail: a word of the program's own, no input.
    ///   - count: for events that were gathered.
    func audit(_ event: AuditEvent, _ subject: UserID?, _ detail: String? = nil, count: Int = 1) throws {
        try audit(event, subject: subject?.text, detail, count: count)
    }

    func audit(_ event: AuditEvent, subject: String?, _ detail: String? = nil, count: Int = 1) throws {
        try run(
            "INSERT INTO node_audit (at, kind, subject, detail, count) VALUES (?, ?, ?, ?, ?)",
            [now.milliseconds, event.rawValue, subject.map(Self.auditName), detail, count])
        try run("DELETE FROM node_audit WHERE event <= ?", [database.lastInsertedRowID - Self.auditMax])
    }

    /// Newest first.
    func auditRows(subject: String?, limit: Int) throws -> [JSONValue] {
        let name = subject.map(Self.auditName)
        return try rows(
            """
            SELECT event, at, kind, subject, detail, count FROM node_audit
            WHERE ?1 IS NULL OR subject = ?1 ORDER BY event DESC LIMIT ?2
            """, [name, limit]
        ).map { row in
            [
                "event": .integer(row["event"]), "at": .string(Timestamp(milliseconds: row["at"]).description),
                "kind": .string(row["kind"]), "subject": (row["subject"] as String?).map { .string($0) } ?? .null,
                "detail": (row["detail"] as String?).map { .string($0) } ?? .null, "count": .integer(row["count"]),
            ]
        }
    }
}
