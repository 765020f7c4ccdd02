import Crypto
import GodwitBatch
import GodwitProtocol

/// Channel messages of 25 authors, chained and numbered as devices make them. What would be ciphertext or a signature
/// is noise: nothing that is measured with it looks inside.
struct SampleTalk {
    private(set) var items: [BatchItem] = []
    private static let authors = 25

    init(messages: Int) throws {
        var last: [MessageHash?] = Array(repeating: nil, count: Self.authors)
        var time: Int64 = 1_795_257_000_000
        let epoch = Self.bytes(0, count: 32)
        for number in 0..<messages {
            time += Int64(Self.bytes(number, count: 1)[0]) * 100
            let author = number * 7 % Self.authors
            let position = number / Self.authors
            let nonce =
                Self.bytes(author, count: 4) + (0..<8).map { UInt8(truncatingIfNeeded: position >> (56 - 8 * $0)) }
            var object: JSONObject = [
                "author": .string("nodeaaaa.person-\(author)"), "channel": "#general", "channel_node": "nodeaaaa",
                "content": ["ciphertext": .string(Base64.encode(Self.bytes(number, count: 48)))], "device": "abcdefgh",
                "encryption": [
                    "algorithm": "chacha20-poly1305", "header": "", "key_id": .string(Base32.encode(epoch.prefix(10))),
                    "nonce": .string(Base64.encode(nonce)),
                ],
                "epoch": .string(Base64.encode(epoch)), "metadata": ["client": "godwit/0.1.0"],
                "seq": .integer(Int64(position)), "timestamp": .string(Timestamp(milliseconds: time).description),
                "type": "text",
            ]
            let body = SampleItems.digest(Message.body(of: object))
            let hash = MessageHash(linking: body, after: last[author])
            object["id"] = .string(hash.id.text)
            object["prev"] = last[author].map { .string($0.base64) } ?? .null
            object["signature"] = .string("ed25519:" + Base64.encode(Self.bytes(-number, count: 64)))
            last[author] = hash
            items.append(
                BatchItem(
                    kind: .message, body: object.canonicalBytes(), created: Timestamp(milliseconds: time),
                    priority: .channelText))
        }
    }

    /// Noise that is the same in every run, at most 64 bytes.
    static func bytes(_ seed: Int, count: Int) -> [UInt8] {
        var hash = SHA512()
        Array("\(seed)".utf8).withUnsafeBytes { hash.update(bufferPointer: $0) }
        return Array(Array(hash.finalize()).prefix(count))
    }
}
