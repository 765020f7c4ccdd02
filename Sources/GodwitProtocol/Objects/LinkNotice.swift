/// Tells a device what a link of its home node (or of a node on the way) carries now, and perhaps that a message of its waits
/// for a better one (docs/protocol.md §7, `link_status`).
public struct LinkNotice: Sendable, Hashable {
    /// What the tier lets go, in words of the protocol.
    public struct Allowed: Sendable, Hashable {
        /// Longest text in Unicode scalars; nil: as long as a message may be.
        public var textMax: Int64?
        /// Largest ciphertext in bytes; nil: as large as a message may be.
        public var sealedMax: Int64?
        /// `none`, `messages`, `low` or `high`.
        public var voice: String
        public var documents: Bool
        public var images: Bool
        public var mediaOnDemand: Bool
        public var presence: Bool

        public static let voices = ["none", "messages", "low", "high"]

        public init(
            textMax: Int64?, sealedMax: Int64?, voice: String, documents: Bool, images: Bool, mediaOnDemand: Bool,
            presence: Bool
        ) {
            self.textMax = textMax
            self.sealedMax = sealedMax
            self.voice = voice
            self.documents = documents
            self.images = images
            self.mediaOnDemand = mediaOnDemand
            self.presence = presence
        }
    }

    /// Whose link it is.
    public var from: NodeID
    /// The device that is told.
    public var to: Party
    /// The node at the other end.
    public var next: NodeID
    public var at: Timestamp
    /// 1 to 4, towards `next`.
    public var tier: Int64
    public var allowed: Allowed
    /// Hash of a message of the device that waits for a better link; nil: none is meant.
    public var held: MessageHash?

    public init(
        from: NodeID, to: Party, next: NodeID, at: Timestamp, tier: Int64, allowed: Allowed, held: MessageHash? = nil
    ) {
        self.from = from
        self.to = to
        self.next = next
        self.at = at
        self.tier = tier
        self.allowed = allowed
        self.held = held
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "link status")
        from = try fields.nodeID("from")
        to = try fields.party("to")
        next = try fields.nodeID("next")
        at = try fields.canonicalTimestamp("at")
        tier = try fields.integer("tier", in: 1...4)
        held = object["held"] == nil ? nil : try fields.hash("held")
        let rules = try fields.object("allowed")
        let voice = try rules.string("voice")
        guard Allowed.voices.contains(voice) else {
            throw .malformed("The kind of voice is unknown.", member: "voice")
        }
        allowed = Allowed(
            textMax: try rules.optionalInteger("text_max", in: 1...65_535),
            sealedMax: try rules.optionalInteger("sealed_max", in: 1...65_535), voice: voice,
            documents: try rules.bool("documents"), images: try rules.bool("images"),
            mediaOnDemand: try rules.bool("media_on_demand"), presence: try rules.bool("presence"))
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "link_status", "from": .string(from.text), "to": .string(to.text), "next": .string(next.text),
            "at": .string(at.description), "tier": .integer(tier),
            "allowed": [
                "text_max": allowed.textMax.map { .integer($0) } ?? .null,
                "sealed_max": allowed.sealedMax.map { .integer($0) } ?? .null, "voice": .string(allowed.voice),
                "documents": .bool(allowed.documents), "images": .bool(allowed.images),
                "media_on_demand": .bool(allowed.mediaOnDemand), "presence": .bool(allowed.presence),
            ],
        ]
        if let held { object["held"] = .string(held.base64) }
        return object
    }
}
