import GodwitProtocol
import Testing

/// Deletions, notices of presence and typing, read markers and erasures (docs/protocol.md §7), and what identity files
/// ask of the node (§9.7, ID-13 to ID-22).
@Suite("Deletions and notices")
struct PassingObjectTests {
    private static func deletion(_ count: Int = 2) -> JSONObject {
        [
            "type": "deletion", "user_id": .string(Sample.alice), "device": Sample.device(1), "channel": "#general",
            "channel_node": "a7f3k9m2", "items": .string(Base64.encode((0..<count).flatMap { Sample.bytes($0) })),
            "at": .string(Sample.time), "signature": Sample.signature,
        ]
    }
    private static let presence: JSONObject = [
        "type": "presence", "user_id": .string(Sample.alice), "status": "away", "message": "at sea",
        "last_seen": .string(Sample.time),
    ]
    private static let typing: JSONObject = [
        "type": "typing", "user_id": .string(Sample.alice), "channel": .string("@" + Sample.bob), "typing": true,
        "at": .string(Sample.time),
    ]
    private static let marker: JSONObject = [
        "type": "read_marker", "user_id": .string(Sample.alice), "device": Sample.device(1), "channel": "#general",
        "channel_node": "a7f3k9m2", "upto": Sample.hash(1), "at": .string(Sample.time),
    ]
    private static let erasure: JSONObject = [
        "type": "erasure", "user_id": .string(Sample.alice), "at": .string(Sample.time),
        "signature": Sample.signature,
    ]

    @Test("each is read and written again unchanged", arguments: [deletion(), presence, typing, marker, erasure])
    func roundTrips(_ object: JSONObject) throws {
        #expect(try ProtocolObject(parsing: object.canonicalBytes()).object == object)
    }

    private static let required: [(JSONObject, [String])] = [
        (deletion(), ["user_id", "device", "channel", "channel_node", "items", "at", "signature"]),
        (presence, ["user_id", "status", "last_seen"]), (typing, ["user_id", "channel", "typing", "at"]),
        (marker, ["user_id", "device", "channel", "channel_node", "upto", "at"]),
        (erasure, ["user_id", "at", "signature"]),
    ]

    @Test("a member that is missing or no such thing is named", arguments: required)
    func members(_ object: JSONObject, _ members: [String]) {
        for member in members {
            for value in [nil, JSONValue.integer(-1)] {
                var wrong = object
                wrong[member] = value
                let error = refusal { () throws(ProtocolError) in try ProtocolObject(wrong) }
                #expect(error?.code == .invalidMessageFormat && error?.details["member"]?.string == member)
            }
        }
    }

    @Test("a deletion names 1 to 64 messages of 32 bytes, each once")
    func items() {
        func isRead(_ object: JSONObject) -> Bool { (try? ProtocolObject(object)) != nil }
        for (count, isFine) in [(0, false), (1, true), (64, true), (65, false)] {
            #expect(isRead(Self.deletion(count)) == isFine)
        }
        for bytes in [Sample.bytes(1) + [1], Sample.bytes(1) + Sample.bytes(1)] {
            #expect(!isRead(Self.deletion().setting("items", .string(Base64.encode(bytes)))))
        }
    }

    @Test("a status has a message of 140 characters, not of 141")
    func message() {
        for (count, isFine) in [(140, true), (141, false)] {
            let object = Self.presence.setting("message", .string(String(repeating: "é", count: count)))
            #expect(((try? ProtocolObject(object)) != nil) == isFine)
        }
    }

    // MARK: Accounts

    private static func policy(_ changes: JSONObject, type: String = "standard") throws -> AccountPolicy {
        let file = Sample.identityFile.setting("account_type", .string(type)).setting("preferences", .object(changes))
        return try AccountPolicy(IdentityFile(file))
    }

    @Test("an identity file without preferences asks for nothing")
    func plain() throws {
        let policy = try Self.policy([:])
        #expect(policy.showsStatus && policy.directMessages == .everyone && policy.retention == nil)
        #expect(policy.blocked.isEmpty && policy.lifetime(at: Timestamp(milliseconds: 0)) == nil)
    }

    @Test("a minimal account keeps 7 days at most, a temporary one nothing (ID-21, ID-22)")
    func kinds() throws {
        for (asked, kept) in [("3d", "3d"), ("90d", "7d"), ("none", "none")] {
            let privacy: JSONObject = ["privacy": ["message_retention": .string(asked)]]
            #expect(try Self.policy(privacy, type: "minimal").retention?.description == kept)
            #expect(try Self.policy(privacy, type: "temporary").retention == Retention.none)
            #expect(try Self.policy(privacy).retention?.description == asked)
        }
        #expect(try Self.policy([:], type: "minimal").retention?.description == "7d")
    }

    @Test("direct messages are allowed as a boolean or by name, and nothing else is understood (ID-16)")
    func directMessages() throws {
        for (value, choice) in [
            (true, .everyone), (false, .nobody), ("everyone", .everyone), ("contacts", .contacts),
            ("nobody", .nobody), (nil, .everyone),
        ] as [(JSONValue, AccountPolicy.DirectMessages)] {
            #expect(try Self.policy(["privacy": ["allow_direct_messages": value]]).directMessages == choice)
        }
        for (member, value) in [
            ("allow_direct_messages", "friends"), ("message_retention", "forever"), ("show_online_status", "no"),
        ] as [(String, JSONValue)] {
            var privacy = JSONObject()
            privacy[member] = value
            #expect(throws: ProtocolError.self) { try Self.policy(["privacy": .object(privacy)]) }
        }
    }

    @Test("1,000 users are blocked, not 1,001 (ID-17)")
    func blocked() throws {
        func users(_ count: Int) -> JSONObject {
            ["blocked_users": .array((0..<count).map { .string("a7f3k9m2.user-\($0)") })]
        }
        #expect(try Self.policy(users(1_000)).blocked.count == 1_000)
        #expect(throws: ProtocolError.self) { try Self.policy(users(1_001)) }
    }
}
