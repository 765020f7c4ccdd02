/// What proves a message to be its author's: its own signature, or that of a later message of the same chain, which
/// vouches for all before it (decisions D-3, D-5).
///
/// In JSON the first is the member `signature`; for the second `signature` is null, `signed_by` is the id of the signed
/// message and `cover` holds the way to it: {`hashes`, `signature`}.
public struct MessageProof: Hashable, Sendable {
    /// Hashes that a cover may have: a chain that is longer gets another signature in between.
    public static let hashesMax = 64

    /// Body hashes, 32 bytes each, of the messages that follow in the chain up to the signed one; none if the signature
    /// is the message's own.
    public let hashes: [[UInt8]]
    /// 64 bytes, Ed25519.
    public let signature: [UInt8]
    /// What the signature is over, purpose `message`.
    public let signed: MessageHash

    /// - Precondition: at most `hashesMax` hashes.
    public init(of hash: MessageHash, hashes: [[UInt8]] = [], signature: [UInt8]) {
        precondition(hashes.count <= Self.hashesMax, "a cover has at most 64 hashes")
        self.hashes = hashes
        self.signature = signature
        signed = hashes.reduce(hash) { MessageHash(linking: $1, after: $0) }
    }

    /// The proof of the message before the one that this proves, which has that body hash.
    public func extended(by bodyHash: [UInt8], to hash: MessageHash) -> MessageProof {
        MessageProof(of: hash, hashes: [bodyHash] + hashes, signature: signature)
    }

    /// Text of the signature.
    public var text: String { Self.prefix + Base64.encode(signature) }

    /// Sets the members of a message that prove it.
    public func write(to object: inout JSONObject) {
        guard !hashes.isEmpty else {
            object["signature"] = .string(text)
            return
        }
        object["signature"] = .null
        object["signed_by"] = .string(signed.id.text)
        object["cover"] = .object([
            "hashes": .array(hashes.map { .string(Base64.encode($0)) }), "signature": .string(text),
        ])
    }

    /// Reads the members of a message; nothing is verified but their form.
    /// - Throws: `ProtocolError` 2000 naming the member.
    init(_ fields: ObjectReader, of hash: MessageHash) throws(ProtocolError) {
        guard let own = fields.object["signature"], own.isNull else {
            for key in ["signed_by", "cover"] where fields.object[key] != nil {
                throw .malformed("A message with a signature has no \(key).", member: key)
            }
            self.init(of: hash, signature: try Self.bytes(fields.string("signature"), member: "signature"))
            return
        }
        let cover = try fields.object("cover")
        guard cover.object.count == 2 else { throw .malformed("A cover has hashes and a signature.", member: "cover") }
        let texts = try cover.array("hashes")
        guard (1...Self.hashesMax).contains(texts.count) else {
            throw .malformed("A cover has 1 to 64 hashes.", member: "hashes")
        }
        var hashes: [[UInt8]] = []
        for text in texts {
            guard let bytes = text.string.flatMap(Base64.decode), bytes.count == 32 else {
                throw .malformed("A hash of a cover is the base64 of 32 bytes.", member: "hashes")
            }
            hashes.append(bytes)
        }
        self.init(
            of: hash, hashes: hashes, signature: try Self.bytes(cover.string("signature"), member: "signature"))
        guard try fields.string("signed_by") == signed.id.text else {
            throw .malformed("The cover leads to another message than signed_by.", member: "signed_by")
        }
    }

    private static let prefix = "ed25519:"

    private static func bytes(_ text: String, member: String) throws(ProtocolError) -> [UInt8] {
        guard text.hasPrefix(prefix), let bytes = Base64.decode(String(text.dropFirst(prefix.count))), bytes.count == 64
        else { throw .malformed("The signature is ed25519: and the base64 of 64 bytes.", member: member) }
        return bytes
    }
}
