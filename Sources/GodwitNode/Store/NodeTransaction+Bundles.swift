import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// The pre-keys that devices publish, and what a session begins with (docs/protocol.md §6.3).
extension NodeTransaction {
    /// One-time pre-keys of a device, over all its publications.
    static let oneTimeKeysMax = Int(PreKeyStock.countMax)
    /// Numbers of one-time pre-keys left that a device is told of.
    static let lowStocks = [20, 10, 5, 0]
    /// Bytes of a signed pre-key; without members that this version does not know it has some 330.
    static let preKeyMax = 1024
    /// Bytes of a KEM pre-key, which has some 1,880.
    static let kemPreKeyMax = 2_560
    /// Bytes of all that a lookup brings of one device, and of what is around it.
    static let bundleMax = preKeyMax + kemPreKeyMax + 512

    /// Stores what a device publishes. The signed pre-key and the KEM pre-key must be the device's own; a publication
    /// without a KEM pre-key leaves the one before. Of the one-time pre-keys those are taken, from the first, for which
    /// there is room; none that is here is given up for another.
    ///
    /// - Returns: how many of `oneTime` are here now.
    func publish(
        _ signedPreKey: SignedPreKey, kem: KEMPreKey? = nil, oneTime: [OneTimePreKey], of user: UserID,
        _ device: DeviceID
    ) throws -> Int {
        guard signedPreKey.userID == user, signedPreKey.device == device,
            kem.map({ $0.userID == user && $0.device == device }) ?? true,
            let key = try signingKey(of: user, device)
        else {
            throw ProtocolError(
                .insufficientPermissions, "Keys can be published for one's own listed device only.",
                hint: "Publish the device list first.")
        }
        let body = try Self.checked(signedPreKey.object, signedBy: key, atMost: Self.preKeyMax)
        let kemBody = try kem.map { try Self.checked($0.object, signedBy: key, atMost: Self.kemPreKeyMax) }
        try run(
            """
            UPDATE node_device SET signed_pre_key = ?, kem_pre_key = coalesce(?, kem_pre_key)
            WHERE user = ? AND device = ?
            """, [body, kemBody, user.text, device.text])
        try refreshMemberKeys(signedPreKey)
        var here = Set(
            try rows("SELECT id FROM node_one_time_key WHERE user = ? AND device = ?", [user.text, device.text])
                .map { $0["id"] as Int64 })
        var taken = 0
        for oneTimeKey in oneTime {
            let id = Int64(oneTimeKey.id)
            guard here.contains(id) || here.count < Self.oneTimeKeysMax else { break }
            here.insert(id)
            taken += 1
            try run(
                "INSERT OR REPLACE INTO node_one_time_key (user, device, id, key) VALUES (?, ?, ?, ?)",
                [user.text, device.text, id, Data(oneTimeKey.key)])
        }
        return taken
    }

    private static func checked(_ preKey: JSONObject, signedBy key: [UInt8], atMost most: Int) throws -> Data {
        try KeyChecks.verify(preKey, signedBy: key, purpose: .preKey)
        let body = preKey.canonicalBytes()
        guard body.count <= most else {
            throw ProtocolError.tooLarge("The pre-key is too large.", actual: body.count, firstRefused: most + 1)
        }
        return Data(body)
    }

    /// How many one-time pre-keys of a device are here.
    func oneTimeKeys(of user: UserID, _ device: DeviceID) throws -> Int {
        try row(
            "SELECT count(*) AS count FROM node_one_time_key WHERE user = ? AND device = ?", [user.text, device.text])?[
                "count"] ?? 0
    }

    /// What a session with each listed device of a user of this node begins with. Devices that have not published all
    /// that their entry promises are left out.
    /// - Parameter claim: takes a one-time pre-key of each out of the store.
    func bundles(of user: UserID, claim: Bool) throws -> [DeviceBundle] {
        guard let list = try self.user(user)?.deviceList else { return [] }
        return try list.devices.compactMap { entry in
            guard
                let row = try row(
                    "SELECT signed_pre_key, kem_pre_key FROM node_device WHERE user = ? AND device = ?",
                    [user.text, entry.device.text]), let stored: Data = row["signed_pre_key"]
            else { return nil }
            let kem: Data? = row["kem_pre_key"]
            guard entry.kem == nil || kem != nil else { return nil }
            return DeviceBundle(
                device: entry.device, signedPreKey: try SignedPreKey(JSONObject.parse([UInt8](stored))),
                oneTimePreKey: claim ? try takeOneTimeKey(of: user, entry.device) : nil,
                kemPreKey: try kem.map { try KEMPreKey(JSONObject.parse([UInt8]($0))) })
        }
    }

    /// The answer to a lookup of a user of this node; takes a one-time pre-key of each device out of the store, unless
    /// the asker wants none. Should the bundles of all devices not fit into an item, those of the last listed stay out.
    func lookUp(_ lookup: UserLookup) throws -> UserLookupResult {
        var result = UserLookupResult(
            userID: lookup.userID, requester: lookup.requester, asOf: now, isRefresh: lookup.isRefresh, found: nil)
        guard let known = try user(lookup.userID), known.isLocal, let list = known.deviceList else { return result }
        var bundles = try bundles(of: lookup.userID, claim: false)
        // A device that looks up its own user wants the others.
        if bundles.count > 1 { bundles.removeAll { lookup.requester == .device(lookup.userID, $0.device) } }
        if lookup.isRefresh {
            for index in bundles.indices { bundles[index].kemPreKey = nil }
        }
        guard !bundles.isEmpty else { return result }
        let found = { UserLookupResult.Found(publicKey: known.publicKey, deviceList: list, bundles: $0) }
        result.found = found(bundles)
        while bundles.count > 1, !Self.fits(result) {
            bundles.removeLast()
            result.found = found(bundles)
        }
        guard !lookup.isRefresh else { return result }
        for index in bundles.indices {
            bundles[index].oneTimePreKey = try takeOneTimeKey(of: lookup.userID, bundles[index].device)
        }
        result.found = found(bundles)
        return result
    }

    /// With room for the one-time pre-keys, which have less than 128 bytes each.
    private static func fits(_ result: UserLookupResult) -> Bool {
        let room = 128 * (result.found?.bundles.count ?? 0)
        return (try? FrameRoom.check(result.object, keeping: room)) != nil
    }

    func takeOneTimeKey(of user: UserID, _ device: DeviceID) throws -> OneTimePreKey? {
        guard
            let row = try row(
                "SELECT id, key FROM node_one_time_key WHERE user = ? AND device = ? ORDER BY id LIMIT 1",
                [user.text, device.text])
        else { return nil }
        let id: Int64 = row["id"]
        try run(
            "DELETE FROM node_one_time_key WHERE user = ? AND device = ? AND id = ?", [user.text, device.text, id])
        let left = try oneTimeKeys(of: user, device)
        if Self.lowStocks.contains(left) { try tellStock(left, of: user, device) }
        return OneTimePreKey(id: UInt32(id), key: [UInt8](row["key"] as Data))
    }

    /// After a publication that brought no one-time pre-keys: a device may have missed that they run low.
    func tellLowStock(of user: UserID, _ device: DeviceID) throws {
        let left = try oneTimeKeys(of: user, device)
        if left <= Self.lowStocks[0] { try tellStock(left, of: user, device) }
    }

    private func tellStock(_ left: Int, of user: UserID, _ device: DeviceID) throws {
        let party = Party.device(user, device)
        try enqueueAnew(PreKeyStock(to: party, oneTimePreKeys: Int64(left), at: now).object, to: party)
    }
}
