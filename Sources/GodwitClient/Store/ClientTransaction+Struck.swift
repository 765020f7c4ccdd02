import FoundationEssentials
import GRDB
import GodwitProtocol

/// Devices that were struck from their users' lists: what they had sent by then may be under way.
extension ClientTransaction {
    /// Keeps the keys of devices that a list strikes, and of those that it calls revoked and its predecessor did not: a list
    /// may overtake what it follows, and the messages of a device that was never seen listed here.
    ///
    /// - Parameter before: the list that was known until now.
    func noteStruck(by list: DeviceList, after before: DeviceList?) throws {
        let user = list.userID
        let age = try age()
        try run(
            """
            INSERT OR REPLACE INTO client_struck (user, device, signing_key, agreement_key, models, kem, struck)
            SELECT user, device, signing_key, agreement_key, models, kem, ? FROM client_device
            WHERE user = ? AND device NOT IN (SELECT value FROM json_each(?))
            """, [age, user.text, JSONValue.array(list.devices.map { .string($0.device.text) }).canonicalText])
        let known = Set(before?.revoked.map(\.device) ?? [])
        for device in list.revoked where !known.contains(device.device) {
            try run(
                """
                INSERT OR IGNORE INTO client_struck (user, device, signing_key, agreement_key, models, struck)
                VALUES (?, ?, ?, ?, '', ?)
                """,
                [
                    user.text, device.device.text, Data(device.signingKey), Data(device.agreementKey), age,
                ])
            arrived.append(.device(user, device.device))
        }
    }

    /// Revoked devices of the own list that the next one names again: something of theirs may still be under way.
    ///
    /// - Parameter known: the list that is known here.
    func revokedStill(in current: DeviceList, since known: DeviceList) throws -> [RevokedDevice] {
        let seen = Set(known.revoked.map(\.device))
        return try current.revoked.filter { device in
            try !seen.contains(device.device)
                || row(
                    "SELECT 1 FROM client_struck WHERE user = ? AND device = ?",
                    [current.userID.text, device.device.text]) != nil
        }
    }

    /// Lets go of devices that were struck from lists, with their sessions, when nothing of theirs is under way any more.
    func forgetStruck() throws {
        for row in try rows(
            "DELETE FROM client_struck WHERE struck <= ? RETURNING user, device", [try age() - RevokedDevice.kept])
        {
            let names: StatementArguments = [row["user"] as String, row["device"] as String]
            // One that came back has sessions like any other.
            guard try self.row("SELECT 1 FROM client_device WHERE user = ? AND device = ?", names) == nil else {
                continue
            }
            try run("DELETE FROM client_session WHERE user = ? AND device = ?", names)
        }
    }
}
