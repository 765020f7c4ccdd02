import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// A user as the node knows it.
struct KnownUser {
    var publicKey: [UInt8]
    var isLocal: Bool
    var listVersion: Int64
    var deviceList: DeviceList?
}

extension NodeTransaction {
    func user(_ id: UserID) throws -> KnownUser? {
        guard
            let row = try row(
                "SELECT public_key, is_local, list_version, device_list FROM node_user WHERE user = ?", [id.text])
        else { return nil }
        let list: [UInt8]? = (row["device_list"] as Data?).map { [UInt8]($0) }
        return KnownUser(
            publicKey: [UInt8](row["public_key"] as Data), isLocal: row["is_local"], listVersion: row["list_version"],
            deviceList: try list.map { try DeviceList(JSONObject.parse($0)) })
    }

    /// Registers a user of this node. The caller has checked challenge and signatures.
    /// - Throws: `ProtocolError` 1002 if the name is taken by another key.
    func register(_ file: IdentityFile) throws {
        if let known = try user(file.userID) {
            guard known.isLocal, known.publicKey == file.publicKey else {
                throw ProtocolError.nameTaken
            }
            return try apply(file)
        }
        try requireNeverErased(file.userID)
        try run(
            """
            INSERT INTO node_user (user, public_key, is_local, account_type, identity_file, since)
            VALUES (?, ?, 1, ?, ?, ?)
            """,
            [
                file.userID.text, Data(file.publicKey), file.accountType.rawValue,
                Data(file.object.canonicalBytes()), now.milliseconds,
            ])
        try apply(file)
    }

    /// Takes over a user's device list: the identity key is pinned when first seen, versions only grow.
    ///
    /// What is held until the user is known is taken up afterwards.
    ///
    /// - Throws: `ProtocolError` 1000 for another key than the pinned one or a bad signature, 2001 for a list that could
    ///   not be introduced to others.
    ///
    /// - Parameter source: who brought it, and need not be told of it.
    func introduce(_ id: UserID, publicKey: [UInt8], list: DeviceList, from source: Party? = nil) throws {
        let known = try user(id)
        if let known, known.publicKey != publicKey {
            throw ProtocolError(
                .invalidCredentials, "The user is known here with another key.",
                hint: "The user's identity was replaced, or somebody pretends to be the user.")
        }
        guard list.version > known?.listVersion ?? 0 else { return }
        try KeyChecks.verify(list, signedBy: publicKey)
        // A lookup's answer holds the pre-keys of one device at least besides the list.
        try FrameRoom.check(
            Introduction(userID: id, publicKey: publicKey, deviceList: list).object, keeping: Self.bundleMax)
        let body = Data(list.object.canonicalBytes())
        if known == nil {
            try run(
                """
                INSERT INTO node_user (user, public_key, is_local, account_type, device_list, list_version, since)
                VALUES (?, ?, 0, 'standard', ?, ?, ?)
                """, [id.text, Data(publicKey), body, list.version, now.milliseconds])
        } else {
            try run(
                "UPDATE node_user SET device_list = ?, list_version = ? WHERE user = ?", [body, list.version, id.text])
        }
        try replaceDevices(of: id, by: list, after: known?.deviceList, isLocal: known?.isLocal ?? false)
        if known?.deviceList != nil {
            try spread(list, of: id, publicKey: publicKey, isLocal: known?.isLocal ?? false, from: source)
        }
        arrived.append(.user(id))
    }

    private func replaceDevices(
        of id: UserID, by list: DeviceList, after known: DeviceList?, isLocal: Bool
    ) throws {
        let before = try devices(of: id)
        let gone = before.filter { device in !list.devices.contains { $0.device == device } }
        try noteStruck(gone, by: list, after: known)
        for device in gone {
            try run("DELETE FROM node_device WHERE user = ? AND device = ?", [id.text, device.text])
        }
        for entry in list.devices {
            try run(
                """
                INSERT INTO node_device (user, device, signing_key, noise_key) VALUES (?, ?, ?, ?)
                ON CONFLICT (user, device) DO UPDATE SET noise_key = excluded.noise_key
                """, [id.text, entry.device.text, Data(entry.signingKey), Data(entry.noiseKey)])
        }
        try takeOutOfChannels(gone, of: id, isStriking: true)
        guard isLocal else { return }
        aftermath.keysChanged = true
        for device in gone { try revoke(device, of: id) }
        for entry in list.devices where !before.isEmpty && !before.contains(entry.device) {
            try tellOfChannels(entry.device, of: id)
        }
    }

    /// The Ed25519 key of a listed device.
    func signingKey(of user: UserID, _ device: DeviceID) throws -> [UInt8]? {
        let statement = try spool.prepared("SELECT signing_key FROM node_device WHERE user = ? AND device = ?")
        statement.bind(1, user.text)
        statement.bind(2, device.text)
        return try statement.first { $0.bytes(0) }
    }

    func devices(of user: UserID) throws -> [DeviceID] {
        let statement = try spool.prepared("SELECT device FROM node_device WHERE user = ? ORDER BY device")
        statement.bind(1, user.text)
        var devices: [DeviceID] = []
        try statement.each { devices.append(try DeviceID($0.text(0))) }
        return devices
    }

    /// Checks that a command's counter grows and stores it with the state that the command changes (D-8).
    /// - Returns: false for a repeat of the last command that was carried out.
    /// - Throws: `ProtocolError` 2000 for any other whose counter is not greater: its device has to hear that nothing came
    ///   of it.
    func advanceCounter(_ command: SignedCommand) throws -> Bool {
        guard
            let row = try row(
                "SELECT counter, command FROM node_device WHERE user = ? AND device = ?",
                [command.userID.text, command.device.text])
        else { return false }
        let hash = SHA256Digest.of(command.object.canonicalBytes())
        let last: Int64 = row["counter"]
        guard command.counter > last else {
            // Stores of before have the counter alone.
            let stored = (row["command"] as Data?).map { [UInt8]($0) }
            if command.counter == last, stored ?? hash == hash { return false }
            throw ProtocolError.counterUsed(last: last)
        }
        try run(
            "UPDATE node_device SET counter = ?, command = ? WHERE user = ? AND device = ?",
            [command.counter, Data(hash), command.userID.text, command.device.text])
        return true
    }
}

extension ProtocolError {
    static var nameTaken: Self {
        Self(.insufficientPermissions, "The username is taken on this node.", hint: "Choose another username.")
    }

    static func counterUsed(last: Int64) -> Self {
        Self(
            .invalidMessageFormat, "The node has had a later command of this device.",
            hint:
                "Its store was put back to an earlier state, a copy of it is in use, or the command was overtaken on its "
                + "way. Do again what you asked for.",
            details: ["counter": .integer(last)])
    }

    static var deviceUnlisted: Self { Self(.userNotFound, "The author's device is not listed here.") }

    static func oneTimeKeysFull(taken: Int) -> Self {
        Self(
            .rateLimited, "The device has as many one-time pre-keys here as are kept.",
            hint: "Publish more when some have been given out. All else in the publication was taken.",
            details: [
                "limit": "one_time_pre_keys", "value": .integer(Int64(NodeTransaction.oneTimeKeysMax)),
                "taken": .integer(Int64(taken)),
            ])
    }
}
