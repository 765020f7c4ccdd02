/// Carries something that is no signed message from one node to a user of another (004 §10.2, decision D-19).
///
/// Signed by the source node, purpose `route`, over all members but `hops` and `signature`. Signed messages travel
/// without it: destination and class follow from them.
public struct RouteMessage: Sendable, Hashable {
    public static let hopsMax: Int64 = 16
    /// Bytes of `encrypted_message` before base64.
    public static let contentMax = 65_535
    /// Members that the signature leaves out.
    public static let unsignedMembers: Set<String> = ["hops", "signature"]

    public let object: JSONObject
    public let id: [UInt8]
    public let sourceNode: NodeID
    public let destinationNode: NodeID
    public let destinationUser: UserID
    public let content: [UInt8]
    public let created: Timestamp
    /// Milliseconds after `created` at which it expires.
    public let lifetime: Int64
    /// Hops so far; grows on the way.
    public let hops: Int64
    public let priority: PriorityClass

    /// - Throws: `ProtocolError` 2000 naming the member, 2001.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "route_message")
        try fields.expect(type: "route_message")
        id = try fields.hash("id").bytes
        sourceNode = try fields.nodeID("source_node")
        destinationNode = try fields.nodeID("destination_node")
        destinationUser = try fields.userID("destination_user")
        content = try fields.base64("encrypted_message")
        guard content.count <= Self.contentMax else {
            throw .tooLarge(
                "The routed content is too large.", actual: content.count, firstRefused: Self.contentMax + 1)
        }
        created = try fields.canonicalTimestamp("created")
        lifetime = try fields.integer("lifetime", in: 1000...31_536_000_000)
        hops = try fields.integer("hops", in: 0...Self.hopsMax)
        let number = Int(try fields.integer("priority", in: 0...7))
        guard let priority = PriorityClass(rawValue: number), destinationUser.node == destinationNode else {
            throw .malformed("The user is not of the destination node.", member: "destination_user")
        }
        self.priority = priority
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    /// The object before it is signed.
    public static func unsigned(
        id: [UInt8], from source: NodeID, to user: UserID, content: [UInt8], created: Timestamp, lifetime: Int64,
        priority: PriorityClass
    ) -> JSONObject {
        [
            "type": "route_message", "id": .string(Base64.encode(id)), "source_node": .string(source.text),
            "destination_node": .string(user.node.text), "destination_user": .string(user.text),
            "encrypted_message": .string(Base64.encode(content)), "created": .string(created.description),
            "lifetime": .integer(lifetime), "hops": 0, "priority": .integer(Int64(priority.rawValue)),
        ]
    }
}
