/// The key of a message's body for one device, encrypted over the author's session with it (D-13): an entry of the
/// member `recipients`, which no hash covers. docs/protocol.md §5.
public struct BodyWrap: Hashable, Sendable {
    /// Entries of one message: 16 devices of the reader and 15 others of the author, rounded up.
    public static let countMax = 32
    /// Bytes of the canonical form of all entries of one message.
    public static let bytesMax = 32_768
    /// Bytes of a ratchet header.
    public static let headerMax = 2048
    /// Bytes of a wrapped key: the key and a tag.
    public static let wrappedCount = 48

    public var user: UserID
    public var device: DeviceID
    /// Names the session, as `key_id` does in a message for one device.
    public var session: String
    public var header: [UInt8]
    public var nonce: [UInt8]
    public var wrapped: [UInt8]

    public init(
        user: UserID, device: DeviceID, session: String, header: [UInt8], nonce: [UInt8], wrapped: [UInt8]
    ) {
        self.user = user
        self.device = device
        self.session = session
        self.header = header
        self.nonce = nonce
        self.wrapped = wrapped
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "entry of recipients")
        user = try fields.userID("user_id")
        device = try fields.deviceID("device")
        session = try fields.string("session")
        header = try fields.base64("header")
        nonce = try fields.base64("nonce")
        wrapped = try fields.base64("wrapped")
        guard (1...64).contains(session.utf8.count) else {
            throw .malformed("The name of a session has 1 to 64 bytes.", member: "session")
        }
        guard header.count <= Self.headerMax else {
            throw .malformed("A header has at most 2,048 bytes.", member: "header")
        }
        guard nonce.count == 12 else { throw .malformed("A nonce has 12 bytes.", member: "nonce") }
        guard wrapped.count == Self.wrappedCount else {
            throw .malformed("A wrapped key has 48 bytes.", member: "wrapped")
        }
    }

    public var party: Party { .device(user, device) }

    public var object: JSONObject {
        [
            "user_id": .string(user.text), "device": .string(device.text), "session": .string(session),
            "header": .string(Base64.encode(header)), "nonce": .string(Base64.encode(nonce)),
            "wrapped": .string(Base64.encode(wrapped)),
        ]
    }

    /// The member `recipients`.
    public static func list(_ wraps: [BodyWrap]) -> JSONValue { .array(wraps.map { .object($0.object) }) }

    /// - Throws: `ProtocolError` 2000, 2001.
    static func read(_ fields: ObjectReader, author: UserID, address: Address) throws(ProtocolError) -> [BodyWrap] {
        guard fields.object["recipients"] != nil else { return [] }
        guard case .direct(let reader) = address else {
            throw .malformed("A message to a channel has no recipients.", member: "recipients")
        }
        let entries = try fields.array("recipients")
        guard (1...countMax).contains(entries.count) else {
            throw .malformed("A message has 1 to 32 recipients.", member: "recipients")
        }
        var wraps: [BodyWrap] = []
        var size = 1
        for entry in entries {
            guard let object = entry.object else {
                throw .malformed("An entry of recipients is an object.", member: "recipients")
            }
            let wrap = try BodyWrap(object)
            guard wrap.user == author || wrap.user == reader.user,
                !wraps.contains(where: { $0.party == wrap.party })
            else {
                throw .malformed(
                    "Recipients are devices of the reader and of the author, each once.", member: "recipients")
            }
            size += object.canonicalBytes().count + 1
            wraps.append(wrap)
        }
        guard size <= bytesMax else {
            throw .tooLarge("The recipients are too large.", actual: size, firstRefused: bytesMax + 1)
        }
        return wraps
    }
}

extension Message {
    /// The message as a party gets it: with the entries of `recipients` that are meant for it, a node's users or a
    /// device. What is covered by hashes stays as it is.
    public func forParty(_ party: Party) -> Message {
        guard !wraps.isEmpty else { return self }
        let kept = wraps.filter { wrap in
            switch party {
            case .node(let node): wrap.user.node == node
            case .device: wrap.party == party
            }
        }
        return kept.count == wraps.count ? self : replacingRecipients(kept)
    }

    /// It goes from one device of a user to others of the same user.
    public var isAmongOwn: Bool {
        if case .direct(let address) = self.address { address.user == author } else { false }
    }
}
