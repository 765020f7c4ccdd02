import GodwitProtocol

/// Well-formed objects. Signatures are of the right form only: this room checks no signature.
enum Sample {
    static let time = "2025-09-06T10:30:00.123Z"
    static let signature: JSONValue = .string("ed25519:" + Base64.encode([UInt8](repeating: 7, count: 64)))
    static let alice = "a7f3k9m2.alice-river-7x9k"
    static let bob = "b8g4l0n3.bob-stone-2k4m"

    static func bytes(_ seed: Int, _ count: Int = 32) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: seed &* 31 &+ $0) }
    }
    static func ed25519(_ seed: Int) -> JSONValue { .string("ed25519:" + Base64.encode(bytes(seed))) }
    static func x25519(_ seed: Int) -> JSONValue { .string("x25519:" + Base64.encode(bytes(seed))) }
    static func hash(_ seed: Int) -> JSONValue { .string(Base64.encode(bytes(seed))) }
    static func device(_ seed: Int) -> JSONValue { .string(DeviceEntry.id(of: bytes(seed)).text) }
    static func party(_ user: String, _ seed: Int) -> JSONValue {
        .string(user + "/" + DeviceEntry.id(of: bytes(seed)).text)
    }

    /// A message with the id that follows from it.
    static func identified(_ object: JSONObject) -> JSONObject {
        let previous = object["prev"]?.string.flatMap { MessageHash(base64: $0) }
        let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: previous)
        return object.setting("id", .string(hash.id.text))
    }

    static var directMessage: JSONObject {
        identified([
            "type": "text", "timestamp": .string(time), "author": .string(alice), "device": device(1),
            "channel": .string("@" + bob), "seq": 0, "prev": nil,
            "content": ["ciphertext": .string(Base64.encode(bytes(5, 40)))],
            "encryption": [
                "algorithm": "chacha20-poly1305", "key_id": "abcdefghijklmnop",
                "nonce": .string(Base64.encode(bytes(6, 12))), "header": .string(Base64.encode(bytes(7, 37))),
            ],
            "metadata": [:], "signature": signature,
        ])
    }

    static var channelMessage: JSONObject {
        identified(
            directMessage.setting("channel", "#general").setting("channel_node", "a7f3k9m2").setting("epoch", hash(8)))
    }

    static func wrap(_ seed: Int, user: String = bob, header: Int = 37) -> BodyWrap {
        guard let user = try? UserID(user) else { preconditionFailure("the samples' user ids are well-formed") }
        return BodyWrap(
            user: user, device: DeviceEntry.id(of: bytes(seed)), session: "abcdefghijklmnop",
            header: bytes(7, header), nonce: bytes(6, 12), wrapped: bytes(seed, 48))
    }

    static func deviceEntry(_ seed: Int, user: String = alice) -> JSONObject {
        [
            "user_id": .string(user), "device": device(seed), "signing_key": ed25519(seed),
            "agreement_key": x25519(seed + 1000), "noise_key": x25519(seed + 2000), "created": .string(time),
            "signature": signature,
        ]
    }

    static func revoked(_ seed: Int) -> JSONObject {
        ["signing_key": ed25519(seed), "agreement_key": x25519(seed + 1000)]
    }

    static func deviceList(_ count: Int = 1, user: String = alice) -> JSONObject {
        [
            "user_id": .string(user), "version": 1, "issued": .string(time), "signature": signature,
            "devices": .array((1...max(1, count)).map { .object(deviceEntry($0, user: user)) }),
        ]
    }

    static func preKey(_ seed: Int = 1, user: String = alice) -> JSONObject {
        [
            "user_id": .string(user), "device": device(seed), "id": 1, "key": x25519(seed + 3000),
            "created": .string(time), "signature": signature,
        ]
    }

    static func kemPreKey(_ seed: Int = 1, user: String = alice) -> JSONObject {
        preKey(seed, user: user).setting("key", .string("mlkem768:" + Base64.encode(bytes(seed + 4000, 1184))))
    }

    static var identityFile: JSONObject {
        [
            "version": "1.0",
            "identity": [
                "full_id": .string(alice), "home_node_id": "a7f3k9m2", "username": "alice-river-7x9k",
                "public_key": ed25519(1), "created": "2025-09-06T10:30:00Z", "display_name": "Alice",
                "bio": "Sails and mends nets", "avatar": "data:image/png;base64,AAAA", "pronouns": "she/her",
                "metadata": ["timezone": "UTC-8", "languages": ["en", "es"]],
            ],
            "preferences": [
                "theme": "dark", "notifications": ["enabled": true, "sound": false, "mobile_push": true],
                "privacy": ["show_online_status": true, "allow_direct_messages": true, "message_retention": "90d"],
                "blocked_users": [.string(bob)],
                "aliases": ["users": ["bob": .string(bob)], "channels": ["dev": "#development/rust-help"]],
            ],
            "home_node": [
                "id": "a7f3k9m2", "name": "Harbour", "endpoint": "wss://chat.example.com",
                "joined": "2025-09-06T10:30:00Z",
            ],
            "account_type": "standard", "encrypted_data": "AAAA", "signature": signature,
        ]
    }
}
