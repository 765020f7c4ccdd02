/// Tells an author that an item was refused or has expired: it will not be delivered.
public struct Refusal: Sendable, Hashable {
    /// Hash of the message, or SHA-256 of the other object.
    public var item: [UInt8]
    /// The author's device.
    public var to: Party
    public var error: ProtocolError
    public var at: Timestamp

    public init(item: [UInt8], to: Party, error: ProtocolError, at: Timestamp) {
        self.item = item
        self.to = to
        self.error = error
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "refusal")
        item = try fields.hash("item").bytes
        to = try fields.party("to")
        at = try fields.canonicalTimestamp("at")
        guard let error = ProtocolError(object: object) else {
            throw .malformed("A refusal carries an error.", member: "error")
        }
        self.error = error
    }

    public var object: JSONObject {
        error.object(at: at).setting("type", "refusal").setting("item", .string(Base64.encode(item)))
            .setting("to", .string(to.text)).setting("at", .string(at.description))
    }
}

/// What became of messages (decision D-12), from a reader's device or a node to the author's device.
public struct Receipt: Sendable, Hashable {
    public static let itemsMax = 1024

    public enum State: String, Sendable, CaseIterable {
        case accepted, forwarded, delivered, expired, refused
        /// The reader has read it, and lets the author know (direct messages only).
        case read
    }
    public var state: State
    public var items: [[UInt8]]
    public var to: Party
    public var from: Party
    public var at: Timestamp

    public init(state: State, items: [[UInt8]], to: Party, from: Party, at: Timestamp) {
        self.state = state
        self.items = items
        self.to = to
        self.from = from
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "receipt")
        guard let state = State(rawValue: try fields.string("state")) else {
            throw .malformed("The state of a receipt is unknown.", member: "state")
        }
        self.state = state
        to = try fields.party("to")
        from = try fields.party("from")
        at = try fields.canonicalTimestamp("at")
        let bytes = try fields.base64("items")
        guard bytes.count.isMultiple(of: 10), (1...Self.itemsMax).contains(bytes.count / 10) else {
            throw .malformed("items are 1 to 1,024 hashes cut to 10 bytes, joined.", member: "items")
        }
        items = stride(from: 0, to: bytes.count, by: 10).map { Array(bytes[$0..<$0 + 10]) }
    }

    public var object: JSONObject {
        [
            "type": "receipt", "state": .string(state.rawValue), "to": .string(to.text), "from": .string(from.text),
            "at": .string(at.description), "items": .string(Base64.encode(items.flatMap { $0.prefix(10) })),
        ]
    }
}
