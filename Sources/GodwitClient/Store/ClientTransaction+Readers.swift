import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// A device that reads a message, and the session on which it is written to.
struct ReadingDevice {
    var user: UserID
    var device: DeviceID
    var session: Session
}

/// Who reads a direct message: every listed device of the reader and every other one of this user (D-13).
extension ClientTransaction {
    /// Milliseconds of use after which a device of which its node had no keys is asked for again.
    private static let keylessTime: Int64 = 3_600_000

    /// Nil while keys are missing; they are asked for then. A device that has published none is left out: it gets the
    /// message without a key of its own, and can ask.
    func readers(of user: UserID) throws -> [ReadingDevice]? {
        var readers: [ReadingDevice] = []
        var isComplete = true
        for owner in [user, context.user] {
            let devices = try otherDevices(of: owner)
            if devices.isEmpty, owner == user {
                try lookUp(user)
                isComplete = false
            }
            for device in devices {
                if let session = try sendingSession(with: owner, device) {
                    readers.append(ReadingDevice(user: owner, device: device, session: session))
                } else if try !isKeyless(owner, device) {
                    try lookUp(owner)
                    isComplete = false
                }
            }
        }
        return isComplete && readers.contains { $0.user == user } ? readers : nil
    }

    /// The listed devices of a user but for this one.
    func otherDevices(of user: UserID) throws -> [DeviceID] {
        try rows("SELECT device FROM client_device WHERE user = ? ORDER BY device", [user.text])
            .map { row in try Self.stored { try DeviceID(row["device"] as String) } }
            .filter { user != context.user || $0 != context.device }
    }

    /// The answer to a lookup has come: of listed devices with which there is no session now, the node has no keys.
    func noteKeyless(_ user: UserID) throws {
        for device in try otherDevices(of: user) where try !hasSession(with: user, device) {
            try run(
                "INSERT OR REPLACE INTO client_keyless (user, device, asked) VALUES (?, ?, ?)",
                [user.text, device.text, try age()])
        }
    }

    private func isKeyless(_ user: UserID, _ device: DeviceID) throws -> Bool {
        guard
            let asked = try row(
                "SELECT asked FROM client_keyless WHERE user = ? AND device = ?", [user.text, device.text])?[
                    "asked"] as Int64?
        else { return false }
        return try age() - asked < Self.keylessTime
    }

    /// A user has another device list: nothing is kept for devices that have left it, and own new ones are prepared for.
    func followList(of user: UserID) throws {
        try run(
            """
            DELETE FROM client_keyless WHERE user = ?1
              AND device NOT IN (SELECT device FROM client_device WHERE user = ?1)
            """, [user.text])
        // What those had sent that were struck just now may be under way.
        try run(
            """
            DELETE FROM client_session WHERE user = ?1
              AND device NOT IN (SELECT device FROM client_device WHERE user = ?1
                UNION ALL SELECT device FROM client_struck WHERE user = ?1)
            """, [user.text])
        guard user == context.user else { return }
        for device in try otherDevices(of: user) where try !hasSession(with: user, device) {
            return try lookUp(user)
        }
    }
}
