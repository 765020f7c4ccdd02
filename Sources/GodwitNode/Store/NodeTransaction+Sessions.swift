import FoundationEssentials
import GRDB
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

    static func endSession(_ id: String, in spool: SQLiteTransaction) throws {
        try spool.database.execute(sql: "DELETE FROM node_session WHERE token = ?", arguments: [id])
    }
}
