/// A device asks its home node how far messages of its have come beyond it, and when the rest goes (docs/protocol.md §7,
/// `custody_question`). Asked only when a person wants to know: nobody is told unasked (D-12, G-118).
public struct CustodyQuestion: Sendable, Hashable {
    public static let itemsMax = 64

    /// The device that asks.
    public var from: Party
    /// Hashes of its messages, each cut to the first 10 bytes; 1 to 64.
    public var items: [[UInt8]]
    /// When it asks, so that asking again is another object.
    public var at: Timestamp

    public init(from: Party, items: [[UInt8]], at: Timestamp) {
        self.from = from
        self.items = items.map { Array($0.prefix(10)) }
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "question for custody")
        from = try fields.party("from")
        let bytes = try fields.base64("items")
        guard bytes.count.isMultiple(of: 10), (1...Self.itemsMax).contains(bytes.count / 10) else {
            throw .malformed("A question for custody is about 1 to 64 messages of 10 bytes each.", member: "items")
        }
        items = stride(from: 0, to: bytes.count, by: 10).map { Array(bytes[$0..<$0 + 10]) }
        at = try fields.canonicalTimestamp("at")
    }

    public var object: JSONObject {
        [
            "type": "custody_question", "from": .string(from.text), "at": .string(at.description),
            "items": .string(Base64.encode(items.flatMap(\.self))),
        ]
    }
}

/// A home node's answer to a `CustodyQuestion`: what became of the copies for other nodes (`custody`).
public struct CustodyReport: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It is still in the home node's queue or in a frame that is not acknowledged.
        case waiting
        /// The next node has taken it over.
        case forwarded
        /// Its lifetime ended at the home node.
        case expired
    }

    public struct Copy: Sendable, Hashable {
        /// First 10 bytes of the message's hash.
        public var item: [UInt8]
        /// The node that it goes to.
        public var next: NodeID
        public var state: State
        /// Of one that waits: when it will have gone, as things stand; nil: nobody can say.
        public var goes: Timestamp?

        public init(item: [UInt8], next: NodeID, state: State, goes: Timestamp? = nil) {
            self.item = item
            self.next = next
            self.state = state
            self.goes = goes
        }
    }

    public static let copiesMax = 512

    public var to: Party
    public var at: Timestamp
    /// Of messages that go to no other node there are none.
    public var copies: [Copy]

    public init(to: Party, at: Timestamp, copies: [Copy]) {
        self.to = to
        self.at = at
        self.copies = copies
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "custody report")
        to = try fields.party("to")
        at = try fields.canonicalTimestamp("at")
        let entries = try fields.array("copies")
        guard entries.count <= Self.copiesMax else {
            throw .malformed("A custody report has at most 512 copies.", member: "copies")
        }
        copies = []
        for entry in entries {
            guard let entry = entry.object else {
                throw .malformed("A copy is an object.", member: "copies")
            }
            copies.append(try Self.copy(ObjectReader(entry, what: "copy")))
        }
    }

    private static func copy(_ fields: ObjectReader) throws(ProtocolError) -> Copy {
        let item = try fields.base64("item")
        guard item.count == 10 else { throw .malformed("A message is named by 10 bytes.", member: "item") }
        guard let state = State(rawValue: try fields.string("state")) else {
            throw .malformed("The state of the copy is unknown.", member: "state")
        }
        return Copy(
            item: item, next: try fields.nodeID("next"), state: state,
            goes: fields.object["goes"] == nil ? nil : try fields.canonicalTimestamp("goes"))
    }

    public var object: JSONObject {
        [
            "type": "custody", "to": .string(to.text), "at": .string(at.description),
            "copies": .array(
                copies.map { copy in
                    var object: JSONObject = [
                        "item": .string(Base64.encode(copy.item)), "next": .string(copy.next.text),
                        "state": .string(copy.state.rawValue),
                    ]
                    if let goes = copy.goes { object["goes"] = .string(goes.description) }
                    return .object(object)
                }),
        ]
    }
}
