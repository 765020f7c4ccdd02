/// A home node tells a device how many of its one-time pre-keys are left there, when they run low (docs/protocol.md §6.3).
public struct PreKeyStock: Sendable, Hashable {
    /// Most one-time pre-keys of a device at its node.
    public static let countMax: Int64 = 200

    /// The device whose keys they are.
    public var to: Party
    public var oneTimePreKeys: Int64
    public var at: Timestamp

    public init(to: Party, oneTimePreKeys: Int64, at: Timestamp) {
        self.to = to
        self.oneTimePreKeys = oneTimePreKeys
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "stock of pre-keys")
        to = try fields.party("to")
        oneTimePreKeys = try fields.integer("one_time_pre_keys", in: 0...Self.countMax)
        at = try fields.canonicalTimestamp("at")
    }

    public var object: JSONObject {
        [
            "type": "pre_key_stock", "to": .string(to.text), "one_time_pre_keys": .integer(oneTimePreKeys),
            "at": .string(at.description),
        ]
    }
}
