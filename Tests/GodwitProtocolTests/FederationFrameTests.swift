import GodwitProtocol
import Testing

/// FED-03, FED-06, FED-07, TRUST-05, TRUST-06; decisions D-19, gap G-60.
@Suite("Federation frames")
struct FederationFrameTests {
    static let signature = "ed25519:" + Base64.encode([UInt8](repeating: 7, count: 64))
    static let id = [UInt8](repeating: 1, count: 32)

    static func route(content: Int = 10) throws -> JSONObject {
        RouteMessage.unsigned(
            id: id, from: try NodeID("a7f3k9m2"), to: try UserID("b8x1n5p4.bob-smith-2x1m"),
            content: [UInt8](repeating: 9, count: content), created: Timestamp(milliseconds: 1_757_154_600_123),
            lifetime: 60_000, priority: .directText
        ).setting("signature", .string(signature))
    }

    static func update(_ action: String = "ban_user", expires: JSONValue = nil, messages: Int = 2) -> JSONObject {
        [
            "type": "trust_update", "action": .string(action), "target": "c9y2m7q1.spam-user-x7k2",
            "evidence": [
                "type": "spam", "timestamp": "2025-09-06T10:30:00Z",
                "messages": .array([JSONValue](repeating: "msg_a1b2c3d4e5f6g7h8", count: messages)),
            ],
            "issuer": "a7f3k9m2.mod", "issuer_node": "a7f3k9m2", "seq": 4, "issued": "2025-09-06T10:31:00.000Z",
            "expires": expires, "scope": "#general", "signature": .string(signature),
        ]
    }

    /// Expects a refusal that names the member.
    static func expect(_ member: String, _ body: () throws -> Void) {
        let error = #expect(throws: ProtocolError.self) { try body() }
        #expect(error?.code == .invalidMessageFormat && error?.details["member"] == .string(member))
    }

    @Test("a route_message is read as it was written; the signature leaves out hops")
    func routes() throws {
        let read = try RouteMessage(Self.route())
        #expect(read.destinationUser.text == "b8x1n5p4.bob-smith-2x1m" && read.destinationNode.text == "b8x1n5p4")
        #expect(read.content.count == 10 && read.hops == 0 && read.priority == .directText)
        let further = try RouteMessage(Self.route().setting("hops", 3))
        #expect(
            further.object.omitting(RouteMessage.unsignedMembers) == read.object.omitting(RouteMessage.unsignedMembers))
    }

    @Test(
        "each member of a route_message is required and checked",
        arguments: [
            "id", "source_node", "destination_node", "destination_user", "encrypted_message", "created", "lifetime",
            "hops", "priority", "signature",
        ])
    func routeMembers(_ member: String) throws {
        let object = try Self.route()
        Self.expect(member) { _ = try RouteMessage(object.omitting([member])) }
        Self.expect(member) { _ = try RouteMessage(object.setting(member, ["x"])) }
    }

    @Test("a routed content has at most 65,535 bytes, a way at most 16 hops, and the user is of the destination node")
    func routeLimits() throws {
        #expect(try RouteMessage(Self.route(content: RouteMessage.contentMax)).content.count == 65_535)
        let error = #expect(throws: ProtocolError.self) { try RouteMessage(Self.route(content: 65_536)) }
        #expect(error?.code == .messageTooLarge)
        #expect(try RouteMessage(Self.route().setting("hops", 16)).hops == 16)
        Self.expect("hops") { _ = try RouteMessage(Self.route().setting("hops", 17)) }
        Self.expect("destination_user") { _ = try RouteMessage(Self.route().setting("destination_node", "a7f3k9m2")) }
    }

    @Test("a trust_update of each action is read", arguments: TrustUpdate.Action.allCases)
    func actions(_ action: TrustUpdate.Action) throws {
        let update = try TrustUpdate(Self.update(action.rawValue, expires: "2025-10-06T10:31:00.000Z"))
        #expect(update.action == action && update.evidence.messages.count == 2 && update.sequence == 4)
        #expect(update.scope?.text == "#general" && update.expires != nil)
    }

    @Test(
        "each member of a trust_update is required and checked",
        arguments: ["action", "target", "evidence", "issuer", "issuer_node", "seq", "issued", "signature"])
    func updateMembers(_ member: String) {
        Self.expect(member) { _ = try TrustUpdate(Self.update().omitting([member])) }
        Self.expect(member) { _ = try TrustUpdate(Self.update().setting(member, ["x"])) }
    }

    @Test("a temporary ban has an end; evidence names at most 64 messages")
    func updateLimits() throws {
        Self.expect("expires") { _ = try TrustUpdate(Self.update("temp_ban_user")) }
        #expect(try TrustUpdate(Self.update(messages: 64)).evidence.messages.count == 64)
        Self.expect("messages") { _ = try TrustUpdate(Self.update(messages: 65)) }
    }
}
