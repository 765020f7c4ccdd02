import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// Devices that were struck from their users' lists. A list overtakes texts, and what a node has accepted must not be lost
/// for that: what comes from where it was taken is taken here as well (docs/protocol.md §6.2).
extension NodeTransaction {
    /// Keeps the keys of devices that a list strikes, and of those that it calls revoked and its predecessor did not.
    ///
    /// - Parameters:
    ///   - gone: those that were listed here until now.
    ///   - before: the list that was known until now.
    func noteStruck(_ gone: [DeviceID], by list: DeviceList, after before: DeviceList?) throws {
        let uptime = try spool.uptime()
        func note(_ device: DeviceID, _ key: [UInt8]) throws {
            try run(
                """
                INSERT INTO node_struck (user, device, signing_key, struck) VALUES (?, ?, ?, ?)
                ON CONFLICT (user, device) DO UPDATE SET struck = excluded.struck
                """, [list.userID.text, device.text, Data(key), uptime])
        }
        for device in gone {
            if let key = try signingKey(of: list.userID, device) { try note(device, key) }
        }
        let known = Set(before?.revoked.map(\.device) ?? [])
        for device in list.revoked where !known.contains(device.device) {
            try note(device.device, device.signingKey)
        }
    }

    /// The Ed25519 key with which a device may have signed what comes now: it is listed, or was struck not long ago and
    /// this comes from where it was judged before.
    ///
    /// - Parameter hub: the node of the channel that this is about.
    /// - Throws: `AuthorUnknown`.
    func authorKey(of user: UserID, _ device: DeviceID, from source: Party, via hub: NodeID?) throws -> [UInt8] {
        if let key = try signingKey(of: user, device) { return key }
        // Who has a stolen key and a node of its own could else write on.
        guard user.node != context.id, source == .node(user.node) || hub.map({ source == .node($0) }) ?? false,
            let key = try struckKey(of: user, device)
        else { throw AuthorUnknown(user: user) }
        return key
    }

    func struckKey(of user: UserID, _ device: DeviceID) throws -> [UInt8]? {
        try row("SELECT signing_key FROM node_struck WHERE user = ? AND device = ?", [user.text, device.text])
            .map { [UInt8]($0["signing_key"] as Data) }
    }

    /// Lets go of devices of which nothing is under way any more.
    func forgetStruck() throws {
        try run("DELETE FROM node_struck WHERE struck <= ?", [try spool.uptime() - RevokedDevice.kept])
    }
}
