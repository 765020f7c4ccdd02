import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// Messages as devices make them, in chains. Signatures are noise: what takes frames in here looks at none.
struct Talk {
    private struct Chain {
        var sequence: Int64 = 0
        var last: MessageHash?
    }

    private var random: SeededGenerator
    private let epoch: [UInt8]
    private let devices: [String]
    private let salts: [[UInt8]]
    private var chains: [Int: Chain] = [:]
    private var time: Int64 = 1_795_257_000_123

    init(seed: UInt64, authors: Int) {
        var random = SeededGenerator(seed: seed)
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        epoch = bytes(32)
        devices = (0..<authors).map { _ in Base32.encode(bytes(5)) }
        salts = (0..<authors).map { _ in bytes(4) }
        self.random = random
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    mutating func message(by author: Int, length: Int = 48) -> (body: [UInt8], hash: MessageHash, created: Timestamp) {
        time += Int64.random(in: 0...90_000, using: &random)
        var chain = chains[author] ?? Chain()
        let nonce = salts[author] + (0..<8).map { UInt8(truncatingIfNeeded: chain.sequence >> (56 - 8 * $0)) }
        let created = Timestamp(milliseconds: time)
        var object: JSONObject = [
            "author": .string("a7f3k9m2.person-\(author)"), "channel": "#general", "channel_node": "a7f3k9m2",
            "content": ["ciphertext": .string(Base64.encode(bytes(length)))], "device": .string(devices[author]),
            "encryption": [
                "algorithm": "chacha20-poly1305", "header": "",
                "key_id": .string(Base32.encode(epoch.prefix(10))), "nonce": .string(Base64.encode(nonce)),
            ],
            "epoch": .string(Base64.encode(epoch)), "metadata": ["client": "godwit/0.1.0"],
            "seq": .integer(chain.sequence), "timestamp": .string(created.description), "type": "text",
        ]
        let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: chain.last)
        object["id"] = .string("msg_" + Base32.encode(hash.bytes.prefix(10)))
        object["prev"] = chain.last.map { .string($0.base64) } ?? .null
        object["signature"] = .string("ed25519:" + Base64.encode(bytes(64)))
        chain.sequence += 1
        chain.last = hash
        chains[author] = chain
        return (object.canonicalBytes(), hash, created)
    }

    mutating func item(by author: Int, to peer: Party, length: Int = 48) -> NewItem {
        let (body, hash, created) = message(by: author, length: length)
        return NewItem(
            id: ItemID(hash.bytes), kind: .message, body: body, destination: peer, priority: .channelText,
            created: created, lifetime: Message.defaultLifetime)
    }
}
