import FoundationEssentials
import GRDB
import GodwitProtocol

extension NodeTransaction {
    /// How many one-time pre-keys of a device are here.
    func oneTimeKeys(of user: UserID, _ device: DeviceID) throws -> Int {
        try row(
            "SELECT count(*) AS count FROM node_one_time_key WHERE user = ? AND device = ?", [user.text, device.text])?[
                "count"] ?? 0
    }

    /// What a session with each listed device of a user of this node begins with. Devices that have published nothing
    /// are left out.
    /// - Parameter claim: takes a one-time pre-key of each out of the store.
    func bundles(of user: UserID, claim: Bool) throws -> [JSONObject] {
        guard let list = try self.user(user)?.deviceList else { return [] }
        return try list.devices.compactMap { entry in
            guard
                let row = try row(
                    "SELECT signed_pre_key FROM node_device WHERE user = ? AND device = ?",
                    [user.text, entry.device.text]), let stored: Data = row["signed_pre_key"]
            else { return nil }
            let oneTime = claim ? try takeOneTimeKey(of: user, entry.device) : nil
            return [
                "device": .string(entry.device.text), "signed_pre_key": .object(try JSONObject.parse([UInt8](stored))),
                "one_time_pre_key": oneTime.map { .object($0.object) } ?? .null,
            ]
        }
    }
}
