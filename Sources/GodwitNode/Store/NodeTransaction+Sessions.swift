import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

extension NodeTransaction {
    static func openSession(
        _ id: String, _ user: UserID, _ device: DeviceID?, from now: Timestamp, to expires: Timestamp,
        in spool: SQLiteTransaction
    ) throws {
        try spool.database.execute(
            sql: "DELETE FROM node_session WHERE expires <= ?", arguments: [now.milliseconds])
        try spool.database.execute(
            sql: "INSERT INTO node_session (token, user, device, issued, expires) VALUES (?, ?, ?, ?, ?)",
            arguments: [id, user.text, device?.text, now.milliseconds, expires.milliseconds])
    }

    static func isSessionOpen(_ id: String, in spool: SQLiteTransaction) throws -> Bool {
        try Bool.fetchOne(
            spool.database, sql: "SELECT EXISTS (SELECT 1 FROM node_session WHERE token = ?)", arguments: [id]) ?? false
    }

    /// Takes all from a device that has left its user's list: sessions, frames on their way, and what waits. Authors of
    /// messages that no other device of the user gets are told.
    func revoke(_ device: DeviceID, of user: UserID) throws {
        let party = Party.device(user, device)
        aftermath.revoked.insert(party)
        try run("DELETE FROM node_session WHERE user = ? AND device = ?", [user.text, device.text])
        try run("DELETE FROM node_introduction WHERE party = ?", [party.text])
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
            guard let item, item.row == key.row else { continue }
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

    static func endSession(_ id: String, in spool: SQLiteTransaction) throws {
        try spool.database.execute(sql: "DELETE FROM node_session WHERE token = ?", arguments: [id])
    }
}
