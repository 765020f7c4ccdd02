/// One message of the Double Ratchet.
public struct RatchetMessage: Hashable, Sendable {
    public var header: RatchetHeader
    public var nonce: MessageNonce
    /// Content and tag.
    public var ciphertext: [UInt8]

    public init(header: RatchetHeader, nonce: MessageNonce, ciphertext: [UInt8]) {
        self.header = header
        self.nonce = nonce
        self.ciphertext = ciphertext
    }
}
