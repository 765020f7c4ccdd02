/// All devices of a user, versioned. Signed by the user, purpose `device-list` (`docs/protocol.md` §6.2).
public struct DeviceList: Hashable, Sendable {
    public static let devicesMax = 16
    public let object: JSONObject
    public let userID: UserID
    public let version: Int64
    public let devices: [DeviceEntry]
    /// Devices that were struck not long ago, oldest first; at most `devicesMax`.
    public let revoked: [RevokedDevice]

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "device list")
        userID = try fields.userID("user_id")
        version = try fields.integer("version", in: 1...JSONValue.integerMax)
        _ = try fields.canonicalTimestamp("issued")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        let entries = try fields.array("devices")
        guard (1...Self.devicesMax).contains(entries.count) else {
            throw .malformed("A device list has 1 to 16 devices.", member: "devices")
        }
        var names: Set<DeviceID> = []
        var devices: [DeviceEntry] = []
        for entry in entries {
            guard let object = entry.object else { throw .malformed("A device is an object.", member: "devices") }
            let device = try DeviceEntry(object)
            guard device.userID == userID, names.insert(device.device).inserted else {
                throw .malformed("A device list has each device of its user once.", member: "devices")
            }
            devices.append(device)
        }
        self.devices = devices
        revoked = try Self.revoked(fields, besides: names)
        self.object = object
    }

    private static func revoked(
        _ fields: ObjectReader, besides listed: Set<DeviceID>
    ) throws(ProtocolError) -> [RevokedDevice] {
        guard fields.object["revoked"] != nil else { return [] }
        let entries = try fields.array("revoked")
        guard (1...devicesMax).contains(entries.count) else {
            throw .malformed("A device list names 1 to 16 revoked devices, or leaves them out.", member: "revoked")
        }
        var names = listed
        var revoked: [RevokedDevice] = []
        for entry in entries {
            guard let object = entry.object else {
                throw .malformed("A revoked device is an object.", member: "revoked")
            }
            let device = try RevokedDevice(object)
            guard names.insert(device.device).inserted else {
                throw .malformed("A device is listed or revoked, and once.", member: "revoked")
            }
            revoked.append(device)
        }
        return revoked
    }

    /// What a successor without some of the devices says of those: added to what of the present list still counts, newest
    /// last, at most as many as fit.
    public func revoked(
        keeping earlier: [RevokedDevice], lacking devices: [DeviceEntry]
    ) -> [RevokedDevice] {
        let listed = Set(devices.map(\.device))
        return (earlier + self.devices.map { RevokedDevice($0) }).filter { !listed.contains($0.device) }
            .suffix(Self.devicesMax)
    }
}

/// What others need of a device that was struck from its user's list, to read what its home node had taken by then.
public struct RevokedDevice: Hashable, Sendable {
    /// Milliseconds for which something of it may be under way: the lifetime of messages, and a week.
    public static let kept: Int64 = Message.defaultLifetime + 604_800_000

    public let object: JSONObject
    /// Follows from `signingKey`.
    public let device: DeviceID
    /// Ed25519, 32 bytes.
    public let signingKey: [UInt8]
    /// X25519, 32 bytes.
    public let agreementKey: [UInt8]

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "revoked device")
        signingKey = try fields.key("signing_key", prefix: "ed25519", count: 32)
        agreementKey = try fields.key("agreement_key", prefix: "x25519", count: 32)
        device = DeviceEntry.id(of: signingKey)
        self.object = object
    }

    init(_ entry: DeviceEntry) {
        (device, signingKey, agreementKey) = (entry.device, entry.signingKey, entry.agreementKey)
        object = [
            "signing_key": .string("ed25519:" + Base64.encode(signingKey)),
            "agreement_key": .string("x25519:" + Base64.encode(agreementKey)),
        ]
    }
}
