import GodwitProtocol

@testable import GodwitBatch

/// Sebastiano Vigna's SplitMix64: small, seeded, the same everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }
}

/// Makes messages as devices make them: chained, with counted positions. Signatures are noise; no column looks at them.
struct SampleTalk {
    struct Author {
        var user: String
        var device: String
        var salt: [UInt8]
        var position: UInt64 = 0
        var chains: [String: (sequence: Int64, last: MessageHash?)] = [:]
    }

    var random: SplitMix
    var authors: [Author] = []
    var time: Int64 = 1_795_257_000_123
    var epoch: [UInt8]
    var ciphertextLength: () -> Int = { 64 }
    /// Members that are added to every message before it is hashed.
    var extra: JSONObject = [:]
    /// Messages with wraps so far.
    var wraps: UInt64 = 0

    init(seed: UInt64, authors count: Int) {
        random = SplitMix(seed: seed)
        epoch = random.bytes(32)
        for index in 0..<count {
            authors.append(
                Author(
                    user: ["a7f3k9m2", "b8x1n5p4", "q2w3e4r5"][index % 3] + ".person-\(index)",
                    device: Base32.encode(random.bytes(5)), salt: random.bytes(4)))
        }
    }

    /// Wraps for so many devices of a user.
    static func wraps(for user: String, _ count: Int, seed: UInt64 = 1) throws -> [BodyWrap] {
        var random = SplitMix(seed: seed)
        return try (0..<count).map { _ in
            BodyWrap(
                user: try UserID(user), device: try DeviceID(Base32.encode(random.bytes(5))),
                session: Base32.encode(random.bytes(10)), header: random.bytes(37), nonce: random.bytes(12),
                wrapped: random.bytes(48))
        }
    }

    /// The next message of an author in a channel (`#…`) or to a user (`@…`).
    mutating func object(
        _ author: Int, to channel: String = "#general", type: String = "text", length: Int = 64,
        header: [UInt8] = [], metadata: JSONObject = ["client": "godwit/0.1.0"]
    ) -> JSONObject {
        time += Int64(random.below(90_000))
        let chain = authors[author].chains[channel] ?? (0, nil)
        let position = authors[author].position
        authors[author].position += 1
        let nonce = authors[author].salt + (0..<8).map { UInt8(truncatingIfNeeded: position >> (56 - 8 * $0)) }
        let isChannel = channel.first == "#"
        let keyID = isChannel ? Base32.encode(epoch.prefix(10)) : Base32.encode(Array(channel.utf8.suffix(10)))
        var object: JSONObject = [
            "author": .string(authors[author].user), "channel": .string(channel),
            "content": ["ciphertext": .string(Base64.encode(random.bytes(length)))],
            "device": .string(authors[author].device),
            "encryption": [
                "algorithm": "chacha20-poly1305", "header": .string(Base64.encode(header)),
                "key_id": .string(keyID), "nonce": .string(Base64.encode(nonce)),
            ],
            "metadata": .object(metadata), "seq": .integer(chain.sequence),
            "timestamp": .string(Timestamp(milliseconds: time).description), "type": .string(type),
        ]
        if isChannel {
            object["channel_node"] = "a7f3k9m2"
            object["epoch"] = .string(Base64.encode(epoch))
        }
        for (key, value) in extra.members { object[key] = value }
        let (complete, hash) = Self.complete(object, after: chain.last, signature: random.bytes(64))
        authors[author].chains[channel] = (chain.sequence + 1, hash)
        return complete
    }

    /// Adds `id`, `prev` and `signature` (D-2, D-4).
    static func complete(
        _ object: JSONObject, after previous: MessageHash?, signature: [UInt8]
    ) -> (JSONObject, MessageHash) {
        var object = object
        let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: previous)
        object["id"] = .string(hash.id.text)
        object["prev"] = previous.map { .string($0.base64) } ?? .null
        object["signature"] = .string("ed25519:" + Base64.encode(signature))
        return (object, hash)
    }

    mutating func item(_ author: Int, to channel: String = "#general", type: String = "text", length: Int = 64)
        -> BatchItem
    {
        Self.item(object(author, to: channel, type: type, length: length))
    }

    static func item(_ object: JSONObject) -> BatchItem {
        let row = MessageRow.take(object.canonicalBytes())?.row
        let time = object["timestamp"]?.string.flatMap { Timestamp(iso8601: $0) }
        return BatchItem(
            kind: .message, body: object.canonicalBytes(), created: time ?? Timestamp(milliseconds: 0),
            lifetime: object["lifetime"]?.integer ?? Message.defaultLifetime,
            priority: row.map { UsualCourse($0).priority } ?? .channelText)
    }

    /// A mixture of everything that a frame may carry.
    mutating func mixture(_ count: Int) -> [BatchItem] {
        (0..<count).map { _ in
            let author = random.below(authors.count)
            switch random.below(12) {
            case 0: return object()
            case 1: return receipt()
            case 2:
                let direct = object(author, to: "@b8x1n5p4.bob", length: random.below(20) * 8 + 16)
                return Self.item(authors[author].position.isMultiple(of: 2) ? wrapping(direct, by: author) : direct)
            case 3: return item(author, type: ["voice", "media", "system"][random.below(3)])
            case 4:
                var unusual = item(author)
                unusual.priority = PriorityClass(rawValue: random.below(8)) ?? .bulk
                unusual.lifetime = Int64(random.below(1_000_000_000))
                unusual.age = Int64(random.below(5000)) * 1000
                return unusual
            case 5:
                authors[author].salt = random.bytes(4)
                return item(author)
            case 6:
                // A message that is missing here leaves a gap in its chain.
                _ = item(author)
                return item(author)
            case 7:
                extra = ["lifetime": 3_600_000]
                defer { extra = [:] }
                return item(author, to: "#relief/water")
            default: return item(author, to: "#general", length: random.below(20) * 8 + 16)
            }
        }
    }

    /// The message with wraps for so many devices of its reader and another one of its author, as devices make them: each
    /// session goes on from message to message.
    mutating func wrapping(_ object: JSONObject, by author: Int, devices: Int = 1, salted: Bool = true) -> JSONObject {
        let position = wraps
        wraps += 1
        let salt = salted ? authors[author].salt : [9, 9, 9, 9]
        let entries = (0...devices).map { device -> JSONValue in
            var keys = SplitMix(seed: UInt64(author * 64 + device))
            let header = keys.bytes(37)
            let user = device == devices ? authors[author].user : String((object["channel"]?.string ?? "@").dropFirst())
            var bodies = SplitMix(seed: 1 << 40 | position << 8 | UInt64(device))
            let nonce = salt + (0..<8).map { UInt8(truncatingIfNeeded: position >> (56 - 8 * $0)) }
            return [
                "user_id": .string(user), "device": .string(Base32.encode(keys.bytes(5))),
                "session": .string(Base32.encode(keys.bytes(10))), "header": .string(Base64.encode(header)),
                "nonce": .string(Base64.encode(nonce)), "wrapped": .string(Base64.encode(bodies.bytes(48))),
            ]
        }
        return object.setting("recipients", .array(entries))
    }

    private mutating func object() -> BatchItem {
        let object: JSONObject = [
            "action": "join", "channel": "#general", "type": "membership", "user": .string(authors[0].user),
            "version": .integer(Int64(random.below(100))),
        ]
        return BatchItem(
            kind: .object, body: object.canonicalBytes(), created: Timestamp(milliseconds: time),
            age: Int64(random.below(100)) * 1000, priority: random.below(2) == 0 ? .control : .revocation)
    }

    private mutating func receipt() -> BatchItem {
        let object: JSONObject = ["items": [.string(Base64.encode(random.bytes(32)))], "kind": "delivered"]
        return BatchItem(
            kind: .receipt, body: object.canonicalBytes(), created: Timestamp(milliseconds: time), priority: .control)
    }
}
