/// Four bytes by which a receiver finds the sender's key among those that it knows (docs/protocol.md, section 4.5). Not
/// unique: where several keys match, each is tried.
public struct FrameHint: Hashable, Sendable {
    public static let count = 4
    public let bytes: [UInt8]

    /// - Throws: `malformed` unless there are 4 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .malformed }
        self.bytes = bytes
    }

    public init(sender: AgreementPublicKey, receiver: AgreementPublicKey) {
        let hash = Digest.sha256(Array("DCP1:frame-hint".utf8), [0], sender.bytes, receiver.bytes)
        bytes = Array(hash.prefix(Self.count))
    }
}
