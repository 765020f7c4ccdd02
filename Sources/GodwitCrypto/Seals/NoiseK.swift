/// `Noise_K_25519_ChaChaPoly_SHA256` (Noise Protocol Framework, revision 34, section 7.4): one message from a sender to a
/// receiver who know each other's static keys.
public enum NoiseK {
    /// Longest Noise message, in bytes.
    public static let messageMax = 65_535
    /// Ephemeral key and tag.
    public static let overhead = 48
    /// Longest payload, in bytes.
    public static let payloadMax = messageMax - overhead

    /// - Throws: `tooLarge` beyond `payloadMax`, `invalidKey` for a receiver's key of small order.
    public static func seal(
        _ payload: [UInt8], sender: AgreementKey, receiver: AgreementPublicKey, prologue: [UInt8],
        from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> [UInt8] {
        try seal(
            payload, sender: sender, receiver: receiver, prologue: prologue, ephemeral: .generate(from: random))
    }

    /// The same with a given ephemeral key: equal arguments give equal bytes.
    ///
    /// - Parameter ephemeral: never one that has sealed another payload, or with another receiver or prologue.
    public static func seal(
        _ payload: [UInt8], sender: AgreementKey, receiver: AgreementPublicKey, prologue: [UInt8],
        ephemeral: AgreementKey
    ) throws(CryptoError) -> [UInt8] {
        guard payload.count <= payloadMax else { throw .tooLarge }
        var state = NoiseState(prologue: prologue, sender: sender.publicKey, receiver: receiver)
        state.mix(hash: ephemeral.publicKey.bytes)
        state.mix(key: try ephemeral.agree(with: receiver))
        let key = state.mix(key: try sender.agree(with: receiver))
        let sealed = try AEAD.seal(payload, key: key, nonce: NoiseState.firstNonce, associatedData: state.hash)
        return ephemeral.publicKey.bytes + sealed
    }

    /// - Throws: `authenticationFailed` for other keys, another prologue or changed bytes; `malformed`, `tooLarge`,
    ///   `invalidKey`.
    public static func open(
        _ message: [UInt8], receiver: AgreementKey, sender: AgreementPublicKey, prologue: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard message.count >= overhead else { throw .malformed }
        guard message.count <= messageMax else { throw .tooLarge }
        let ephemeral = try AgreementPublicKey(Array(message.prefix(AgreementPublicKey.count)))
        var state = NoiseState(prologue: prologue, sender: sender, receiver: receiver.publicKey)
        state.mix(hash: ephemeral.bytes)
        state.mix(key: try receiver.agree(with: ephemeral))
        let key = state.mix(key: try receiver.agree(with: sender))
        return try AEAD.open(
            Array(message.dropFirst(AgreementPublicKey.count)), key: key, nonce: NoiseState.firstNonce,
            associatedData: state.hash)
    }
}

/// The symmetric state of the one handshake message (Noise, section 5.2). Only the last key encrypts, with nonce 0.
private struct NoiseState {
    static let firstNonce = [UInt8](repeating: 0, count: AEAD.nonceCount)

    private(set) var hash: [UInt8]
    private var chaining: Secret

    init(prologue: [UInt8], sender: AgreementPublicKey, receiver: AgreementPublicKey) {
        // 31 bytes: shorter than the hash, so padded with zeros instead of hashed.
        hash = Array("Noise_K_25519_ChaChaPoly_SHA256".utf8) + [0]
        chaining = Secret(hash)
        mix(hash: prologue)
        mix(hash: sender.bytes)
        mix(hash: receiver.bytes)
    }

    mutating func mix(hash data: [UInt8]) {
        hash = Digest.sha256(hash, data)
    }

    @discardableResult
    mutating func mix(key agreed: Secret) -> Secret {
        let step = KeyDerivation.pair(agreed, salt: chaining, info: [])
        chaining = step.first
        return step.second
    }
}
