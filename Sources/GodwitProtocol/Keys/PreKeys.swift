/// A medium-term X25519 key of a device. Signed by the device, purpose `pre-key`.
public struct SignedPreKey: Hashable, Sendable {
    public let object: JSONObject
    public let userID: UserID
    public let device: DeviceID
    public let id: UInt32
    /// X25519, 32 bytes.
    public let key: [UInt8]
    public let created: Timestamp

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "signed pre-key")
        userID = try fields.userID("user_id")
        device = try fields.deviceID("device")
        id = UInt32(try fields.integer("id", in: 1...Int64(UInt32.max)))
        key = try fields.key("key", prefix: "x25519", count: 32)
        created = try fields.canonicalTimestamp("created")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }
}

/// A pre-key that is used once. Not signed by itself: what delivers it is.
public struct OneTimePreKey: Hashable, Sendable {
    public let id: UInt32
    /// X25519, 32 bytes.
    public let key: [UInt8]

    public init(id: UInt32, key: [UInt8]) {
        self.id = id
        self.key = key
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "one-time pre-key")
        id = UInt32(try fields.integer("id", in: 1...Int64(UInt32.max)))
        key = try fields.key("key", prefix: "x25519", count: 32)
    }

    public var object: JSONObject {
        ["id": .integer(Int64(id)), "key": .string(PublicKeyText.text(x25519: key))]
    }
}

/// An ML-KEM-768 key of a device (docs/protocol.md §6.3, G-101), beside its signed pre-key and renewed with it. Signed by
/// the device, purpose `pre-key`: the prefix of `key` tells it from a signed pre-key.
public struct KEMPreKey: Hashable, Sendable {
    /// The name of the kind, before the colon of `key` and in a device's entry.
    public static let kind = "mlkem768"
    /// Bytes of an encapsulation key (FIPS 203).
    public static let keyCount = 1_184

    public let object: JSONObject
    public let userID: UserID
    public let device: DeviceID
    public let id: UInt32
    public let key: [UInt8]
    public let created: Timestamp

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "KEM pre-key")
        userID = try fields.userID("user_id")
        device = try fields.deviceID("device")
        id = UInt32(try fields.integer("id", in: 1...Int64(UInt32.max)))
        key = try fields.key("key", prefix: Self.kind, count: Self.keyCount)
        created = try fields.canonicalTimestamp("created")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }
}
