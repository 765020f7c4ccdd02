/// The secret of an epoch that a join has started, for one of the joiners: from the sponsor that the change names, and to
/// nobody else (docs/protocol.md §7; D-14). It is not signed: only the two devices can make what it holds.
///
/// It names no more than it has to: whoever has the change knows the channel, and to whom the device belongs.
public struct EpochKey: Sendable, Hashable {
    /// Bytes of `key`: an X25519 key of this object alone (32), and the secret under it (48).
    public static let keyCount = 80
    /// Bytes of `keyID`.
    public static let idCount = 10
    /// The first bytes of the epoch's name, as in messages.
    public var keyID: [UInt8]
    /// Names of epochs with that key id lie from `keyID` to this.
    public var lastName: [UInt8] { keyID + [UInt8](repeating: 0xFF, count: 32 - Self.idCount) }
    /// A member's device.
    public var device: DeviceID
    public var key: [UInt8]
    /// Phrase models that every device of the epoch can read (D-9).
    public var models: Set<UInt8>

    public init(keyID: [UInt8], device: DeviceID, key: [UInt8], models: Set<UInt8> = []) {
        self.keyID = keyID
        self.device = device
        self.key = key
        self.models = models
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "epoch key")
        try fields.expect(type: "epoch_key")
        guard let keyID = Base32.decode(try fields.string("key_id")), keyID.count == Self.idCount else {
            throw .malformed("An epoch is named by 16 characters of base32.", member: "key_id")
        }
        self.keyID = keyID
        device = try fields.deviceID("device")
        key = try fields.base64("key")
        guard key.count == Self.keyCount else { throw .malformed("An epoch key has 80 bytes.", member: "key") }
        models = try fields.models("models")
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "epoch_key", "key_id": .string(Base32.encode(keyID)), "device": .string(device.text),
            "key": .string(Base64.encode(key)),
        ]
        if !models.isEmpty { object["models"] = .array(models.sorted().map { .integer(Int64($0)) }) }
        return object
    }
}
