/// A device as its user certifies it (gap G-14, decision D-2). Signed by the user, purpose `device`.
public struct DeviceEntry: Hashable, Sendable {
    public let object: JSONObject
    public let userID: UserID
    public let device: DeviceID
    /// Ed25519, 32 bytes: signs messages, pre-keys, epochs and commands.
    public let signingKey: [UInt8]
    /// X25519, 32 bytes: IK of the key agreement.
    public let agreementKey: [UInt8]
    /// X25519, 32 bytes: static key of frame seals.
    public let noiseKey: [UInt8]
    public let created: Timestamp
    /// Numbers of the phrase models that the device holds (D-9), as `docs/protocol.md` gives them away.
    public let models: Set<UInt8>
    /// Kind of the device's post-quantum pre-keys; nil if it has none. A device that has some is never written to
    /// without them (G-101), also where its kind is unknown here.
    public let kem: String?

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "device entry")
        userID = try fields.userID("user_id")
        device = try fields.deviceID("device")
        signingKey = try fields.key("signing_key", prefix: "ed25519", count: 32)
        agreementKey = try fields.key("agreement_key", prefix: "x25519", count: 32)
        noiseKey = try fields.key("noise_key", prefix: "x25519", count: 32)
        created = try fields.canonicalTimestamp("created")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        models = try fields.models("models")
        kem = try fields.optionalString("kem")
        guard kem.map({ (1...Self.kemNameMax).contains($0.utf8.count) }) ?? true else {
            throw .malformed("The kind of a device's KEM has 1 to 32 bytes.", member: "kem")
        }
        guard device == Self.id(of: signingKey) else {
            throw .malformed("The device id does not follow from the signing key.", member: "device")
        }
        self.object = object
    }

    /// Longest name of a kind of KEM, in bytes.
    public static let kemNameMax = 32

    /// `docs/protocol.md` §2.
    public static func id(of signingKey: [UInt8]) -> DeviceID {
        let digest = SHA256Digest.of(Array("DCP1:device-id".utf8) + [0], signingKey)
        guard let id = try? DeviceID(Base32.encode(digest.prefix(5))) else {
            preconditionFailure("5 bytes are 8 characters of base32")
        }
        return id
    }

    public var party: Party { .device(userID, device) }
}
