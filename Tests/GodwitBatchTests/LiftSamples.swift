import GodwitProtocol

@testable import GodwitBatch

/// Objects of docs/protocol.md §7 as nodes and devices make them: every key, hash and signature is noise.
struct LiftSamples {
    var random: SplitMix

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    static func item(_ object: JSONObject, _ kind: BatchItem.Kind = .object) -> BatchItem {
        item(object.canonicalBytes(), kind)
    }

    static func item(_ body: [UInt8], _ kind: BatchItem.Kind = .object) -> BatchItem {
        BatchItem(
            kind: kind, body: body, created: Timestamp(milliseconds: 1_795_257_000_123),
            priority: UsualCourse(kind).priority)
    }

    static func item(_ text: String, _ kind: BatchItem.Kind = .object) -> BatchItem { item(Array(text.utf8), kind) }

    mutating func noise(_ count: Int) -> JSONValue { .string(Base64.encode(random.bytes(count))) }
    mutating func key(_ kind: String, _ count: Int = 32) -> JSONValue {
        .string(kind + ":" + Base64.encode(random.bytes(count)))
    }
    mutating func device() -> String { Base32.encode(random.bytes(5)) }
    mutating func user() -> String { "a7f3k9m2.person-\(random.below(40))" }
    mutating func party() -> JSONValue { .string(user() + "/" + device()) }
    mutating func time() -> JSONValue {
        .string(Timestamp(milliseconds: 1_795_257_000_123 + Int64(random.below(90_000_000))).description)
    }

    mutating func preKey(_ user: String) -> JSONObject {
        [
            "created": time(), "device": .string(device()), "id": .integer(Int64(random.below(99))),
            "key": key("x25519"), "signature": key("ed25519", 64), "user_id": .string(user),
        ]
    }

    mutating func introduction() -> JSONObject {
        let user = user()
        let devices = (0..<2).map { _ -> JSONValue in
            [
                "agreement_key": key("x25519"), "created": time(), "device": .string(device()),
                "noise_key": key("x25519"), "signature": key("ed25519", 64), "signing_key": key("ed25519"),
                "user_id": .string(user),
            ]
        }
        return [
            "device_list": [
                "devices": .array(devices), "issued": time(), "signature": key("ed25519", 64),
                "user_id": .string(user), "version": 2,
            ],
            "public_key": key("ed25519"), "type": "introduction", "user_id": .string(user),
        ]
    }

    mutating func membership() -> JSONObject {
        [
            "at": time(), "channel": "#general", "channel_node": "a7f3k9m2", "device_set": noise(32),
            "joined": [.object(preKey(user()))], "signature": key("ed25519", 64), "sponsor": party(),
            "type": "membership", "version": .integer(Int64(random.below(99))),
        ]
    }

    /// - Parameter wrapped: bytes of a wrapped secret.
    mutating func epoch(_ wraps: Int, wrapped: Int = 48) -> JSONObject {
        let entries = (0..<wraps).map { _ -> JSONValue in
            [
                "device": .string(device()), "pre_key": .integer(Int64(random.below(9))), "user_id": .string(user()),
                "wrapped": noise(wrapped),
            ]
        }
        return [
            "author": .string(user()), "channel": "#general", "channel_node": "a7f3k9m2", "commitment": noise(32),
            "created": time(), "device": .string(device()), "device_set": noise(32), "membership": 2,
            "predecessor": noise(32), "signature": key("ed25519", 64), "type": "epoch",
            "wraps": ["ephemeral": key("x25519"), "for": .array(entries)],
        ]
    }

    mutating func command() -> JSONObject {
        let user = user()
        return [
            "command": "join_channel", "counter": .integer(Int64(random.below(300))),
            "data": ["channel": "#general", "channel_node": "a7f3k9m2", "pre_key": .object(preKey(user))],
            "device": .string(device()), "signature": key("ed25519", 64), "type": "command", "user_id": .string(user),
        ]
    }

    mutating func lookupResult() -> JSONObject {
        let introduction = introduction()
        let bundle: JSONObject = [
            "device": .string(device()), "kem_pre_key": ["id": 1, "key": noise(1184), "signature": key("ed25519", 64)],
            "one_time_pre_key": ["id": 7, "key": key("x25519")], "signed_pre_key": .object(preKey(user())),
        ]
        return introduction.setting("type", "user_lookup_result").setting("bundles", [.object(bundle)])
            .setting("requester", party()).setting("as_of", time())
    }

    mutating func resealed() -> JSONObject {
        [
            "at": time(), "content": ["ciphertext": noise(64)],
            "encryption": [
                "algorithm": "chacha20-poly1305", "header": noise(37),
                "key_id": .string(Base32.encode(random.bytes(10))),
                "nonce": noise(12),
            ],
            "from": party(), "item": noise(32), "signature": key("ed25519", 64), "to": party(), "type": "resealed",
        ]
    }

    mutating func marker() -> JSONObject {
        [
            "at": time(), "channel": "#general", "channel_node": "a7f3k9m2", "device": .string(device()),
            "type": "read_marker", "upto": noise(32), "user_id": .string(user()),
        ]
    }

    mutating func lookup() -> JSONObject {
        [
            "at": time(), "requester": party(), "requesting_node": "a7f3k9m2", "type": "user_lookup",
            "user_id": .string(user()),
        ]
    }

    mutating func receipt(_ items: Int = 1) -> JSONObject {
        [
            "at": time(), "from": party(), "items": noise(10 * items), "state": "delivered", "to": party(),
            "type": "receipt",
        ]
    }

    /// One of each.
    mutating func epochKey() -> JSONObject {
        let models = JSONValue.array((0..<random.below(3)).map { .integer(Int64($0 + 1)) })
        let key: JSONObject = [
            "type": "epoch_key", "key_id": .string(Base32.encode(random.bytes(10))),
            "device": .string(Base32.encode(random.bytes(5))), "key": .string(Base64.encode(random.bytes(80))),
        ]
        return models.array?.isEmpty == true ? key : key.setting("models", models)
    }

    mutating func all() -> [BatchItem] {
        [
            introduction(), membership(), epoch(1), epoch(15), epoch(3, wrapped: 80), command(), lookupResult(),
            resealed(), marker(), lookup(),
        ].map { Self.item($0) } + [Self.item(receipt(), .receipt), Self.item(receipt(20), .receipt)]
    }

    /// What looks like base64 here and there, and like much else.
    mutating func confusion() -> BatchItem {
        let pieces = [
            "\"", "\":", "=", "==", "===", "\":\"", ",\"", "ed25519:", "{", "}", "\\\"", "Aa", "Bb+/", "\u{7F}", "é",
        ]
        var text = "{"
        for _ in 0..<1 + random.below(30) {
            switch random.below(4) {
            case 0: text += "\"" + Base64.encode(random.bytes(random.below(100))) + "\""
            case 1: text += Base64.encode(random.bytes(random.below(30)))
            default: text += pieces[random.below(pieces.count)]
            }
        }
        return Self.item(text, [.object, .receipt, .message][random.below(3)])
    }
}
