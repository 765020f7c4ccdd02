/// A reader's device lacks messages of one author's device in one conversation, or cannot open them, and asks for them
/// (docs/protocol.md §7). Signed by the asking device, purpose `reseal`; `left` stands outside the signature.
public struct MessageRequest: Sendable, Hashable {
    /// Messages that one object names.
    public static let itemsMax = 64
    /// Messages of a chain that one item stands for.
    public static let runMax: Int64 = 64
    /// Sessions that one object names.
    public static let sessionsMax = 16

    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// A later message of the chain has come, this one has not.
        case missing
        /// It is of a session that the device does not have.
        case unknownSession = "unknown_session"
        /// It opens a session with a pre-key that the device has no more.
        case preKeyGone = "pre_key_gone"
        /// Its key was used or dropped, or it lies too far ahead.
        case keyGone = "key_gone"
        /// It is for several devices, and not for this one.
        case noEntry = "no_entry"
        /// The device does not have the epoch that it was written in.
        case noEpoch = "no_epoch"
        /// Its key is there, but it does not decrypt.
        case undecipherable

        /// Sessions that the device names with this reason are of no use any more.
        public var endsSessions: Bool { self == .unknownSession || self == .preKeyGone }
        /// The bytes of the message are at hand: another copy of them is of no use.
        public var needsResealing: Bool { self != .missing }
    }

    public let object: JSONObject
    /// The device that asks.
    public let from: DeviceAddress
    /// The author's device.
    public let to: DeviceAddress
    public let name: ConversationName
    public let reason: Reason
    /// Hashes cut to 10 bytes, each once.
    public let items: [[UInt8]]
    /// Of `missing`: how many messages of the chain each item stands for, itself the last of them. Else 1 each.
    public let runs: [Int64]
    /// Session ids that the device cannot use.
    public let sessions: [String]
    /// Grows with whatever the device asks or commands: of two requests for one message the higher is the newer.
    public let number: Int64
    public let at: Timestamp
    /// Items that no node on the way has answered.
    public let left: [[UInt8]]

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "request for messages")
        try fields.expect(type: "message_request")
        from = try DeviceAddress(fields, "from")
        to = try DeviceAddress(fields, "to")
        name = try ConversationName(fields)
        guard let reason = Reason(rawValue: try fields.string("reason")) else {
            throw .malformed("The reason of a request is unknown.", member: "reason")
        }
        self.reason = reason
        items = try Self.hashes(fields, "items")
        if reason == .missing {
            runs = try Self.runs(fields, count: items.count)
        } else {
            runs = items.map { _ in 1 }
        }
        sessions = try Self.sessions(fields)
        number = try fields.integer("number", in: 1...JSONValue.integerMax)
        at = try fields.canonicalTimestamp("at")
        left = object["left"] == nil ? items : try Self.hashes(fields, "left")
        guard Set(left).isSubset(of: items) else {
            throw .malformed("left names items of the request only.", member: "left")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    static func hashes(_ fields: ObjectReader, _ member: String) throws(ProtocolError) -> [[UInt8]] {
        let bytes = try fields.base64(member)
        guard bytes.count.isMultiple(of: 10), (1...itemsMax).contains(bytes.count / 10) else {
            throw .malformed("1 to 64 hashes cut to 10 bytes are named, joined.", member: member)
        }
        let items = stride(from: 0, to: bytes.count, by: 10).map { Array(bytes[$0..<$0 + 10]) }
        guard Set(items).count == items.count else { throw .malformed("A message is named once.", member: member) }
        return items
    }

    private static func runs(_ fields: ObjectReader, count: Int) throws(ProtocolError) -> [Int64] {
        let runs = try fields.array("runs").compactMap(\.integer).filter { (1...runMax).contains($0) }
        guard runs.count == count else {
            throw .malformed("Each item stands for 1 to 64 messages.", member: "runs")
        }
        return runs
    }

    private static func sessions(_ fields: ObjectReader) throws(ProtocolError) -> [String] {
        guard fields.object["sessions"] != nil else { return [] }
        let sessions = try fields.array("sessions").compactMap(\.string).filter { (1...64).contains($0.utf8.count) }
        guard (1...sessionsMax).contains(sessions.count), sessions.count == fields.object["sessions"]?.array?.count
        else { throw .malformed("1 to 16 sessions are named.", member: "sessions") }
        return sessions
    }

    /// What a request asks for, of whom and why.
    public struct Question: Sendable, Hashable {
        public var from: DeviceAddress
        public var to: DeviceAddress
        public var name: ConversationName
        public var reason: Reason
        public var items: [[UInt8]]
        public var runs: [Int64] = []
        public var sessions: [String] = []

        public init(
            from: DeviceAddress, to: DeviceAddress, name: ConversationName, reason: Reason, items: [[UInt8]],
            runs: [Int64] = [],
            sessions: [String] = []
        ) {
            (self.from, self.to, self.name) = (from, to, name)
            (self.reason, self.items, self.runs, self.sessions) = (reason, items, runs, sessions)
        }
    }

    /// The part that is signed.
    public static func unsigned(_ question: Question, number: Int64, at: Timestamp) -> JSONObject {
        var object: JSONObject = [
            "type": "message_request", "from": .string(question.from.text), "to": .string(question.to.text),
            "reason": .string(question.reason.rawValue), "number": .integer(number), "at": .string(at.description),
            "items": .string(Base64.encode(question.items.flatMap { $0.prefix(10) })),
        ]
        if question.reason == .missing { object["runs"] = .array(question.runs.map { .integer($0) }) }
        if !question.sessions.isEmpty { object["sessions"] = .array(question.sessions.map { .string($0) }) }
        return question.name.add(to: object)
    }

    /// The request as it goes on when some of it was answered.
    public func leaving(_ left: [[UInt8]]) -> JSONObject {
        object.setting("left", .string(Base64.encode(left.flatMap { $0 })))
    }

    /// The conversation that is meant.
    public var conversation: Conversation { name.conversation(of: from.user) }
}

/// One device of a user.
public struct DeviceAddress: Sendable, Hashable {
    public var user: UserID
    public var device: DeviceID

    public init(user: UserID, device: DeviceID) {
        self.user = user
        self.device = device
    }

    init(_ fields: ObjectReader, _ member: String) throws(ProtocolError) {
        guard case .device(let user, let device) = try fields.party(member) else {
            throw .malformed("Messages go from device to device.", member: member)
        }
        self.init(user: user, device: device)
    }

    public var party: Party { .device(user, device) }
    public var text: String { party.text }
}
