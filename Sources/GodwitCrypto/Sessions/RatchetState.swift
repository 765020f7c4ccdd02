/// The Double Ratchet of one pair of devices, as a value (docs/protocol.md, section 4.2; E2E-04).
///
/// `encrypt` and `decrypt` either return and move the state on, or throw and leave it as it was. Whoever holds the state
/// writes the state that `encrypt` left to stable storage *before* the ciphertext leaves, so that no position is used
/// twice (D-6), and the state that `decrypt` left together with the content.
public struct RatchetState: Sendable, Equatable {
    /// Chains of the other side whose skipped keys are kept; the oldest goes first.
    public static let skippedChainsMax = 5
    /// Most positions that one message may skip in a chain.
    public static let skippedKeysMax = SkippedKeys.countMax

    struct SkippedChain: Sendable, Equatable {
        var remote: AgreementPublicKey
        var keys: SkippedKeys
    }

    let associatedData: [UInt8]
    var root: Secret
    var own: AgreementKey
    var remote: AgreementPublicKey?
    var sending: ChainKey?
    var receiving: ChainKey?
    var previousCount: UInt32 = 0
    var skipped: [SkippedChain] = []

    /// The state of the side that writes first.
    ///
    /// - Parameter remote: the responder's signed pre-key.
    public init(
        initiating agreement: X3DH.Agreement, remote: AgreementPublicKey,
        from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) {
        associatedData = agreement.associatedData
        own = try .generate(from: random)
        self.remote = remote
        let step = KeyDerivation.ratchetRoot(agreement.sharedKey, try own.agree(with: remote))
        root = step.first
        sending = ChainKey(step.second)
    }

    /// The state of the side that answers.
    ///
    /// - Parameter signedPreKey: the key pair of the signed pre-key that the initiator used.
    public init(responding agreement: X3DH.Agreement, signedPreKey: AgreementKey) {
        associatedData = agreement.associatedData
        root = agreement.sharedKey
        own = signedPreKey
    }

    /// True once this side may send.
    public var canSend: Bool { sending != nil }
    /// Position of the next message in the sending chain.
    public var sendingPosition: UInt64 { sending?.position ?? 0 }
    /// The own ratchet key: another one stands for a new sending chain.
    public var ratchetKey: AgreementPublicKey { own.publicKey }
    /// Number of skipped keys that are kept.
    public var skippedCount: Int { skipped.reduce(0) { $0 + $1.keys.count } }

    /// Encrypts the next message.
    ///
    /// - Parameters:
    ///   - salt: the device's salt of this opening of its store.
    ///   - aad: gives the associated data once header and nonce are known; it must cover the header.
    /// - Throws: `notReady` before a responder has read anything, `exhausted` at the end of the chain.
    public mutating func encrypt(
        _ content: [UInt8], salt: NonceSalt, aad: (RatchetHeader, MessageNonce) -> [UInt8]
    ) throws(CryptoError) -> RatchetMessage {
        guard var chain = sending else { throw .notReady }
        guard chain.position < UInt64(UInt32.max) else { throw .exhausted }
        let header = RatchetHeader(ratchetKey: own.publicKey, previousCount: previousCount)
        let nonce = MessageNonce(salt: salt, position: chain.position)
        let key = try chain.advance()
        let ciphertext = try MessageCipher.seal(
            content, chainKey: key, nonce: nonce, associatedData: associatedData + aad(header, nonce))
        sending = chain
        return RatchetMessage(header: header, nonce: nonce, ciphertext: ciphertext)
    }

    /// Decrypts a message in whatever order it comes.
    ///
    /// - Parameter random: gives the next ratchet key pair where the message starts a new chain.
    /// - Throws: `authenticationFailed`, `keyGone` for a repeat or a key that was dropped, `tooFarAhead` beyond 2,000
    ///   skipped positions, `invalidKey`. The state is unchanged then.
    public mutating func decrypt(
        _ message: RatchetMessage, aad: [UInt8], from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> [UInt8] {
        var next = self
        let key = try next.messageKey(for: message, from: random)
        let content = try MessageCipher.open(
            message.ciphertext, chainKey: key, nonce: message.nonce, associatedData: associatedData + aad)
        self = next
        return content
    }

    private mutating func messageKey(
        for message: RatchetMessage, from random: some RandomSource
    ) throws(CryptoError) -> Secret {
        if let key = takeSkipped(message) { return key }
        if message.header.ratchetKey != remote || receiving == nil {
            try skipReceiving(to: UInt64(message.header.previousCount))
            try turn(to: message.header.ratchetKey, from: random)
        }
        guard let position = receiving?.position, message.nonce.position >= position else { throw .keyGone }
        try skipReceiving(to: message.nonce.position)
        guard let key = try receiving?.advance() else { throw .notReady }
        return key
    }

    private mutating func takeSkipped(_ message: RatchetMessage) -> Secret? {
        guard let index = skipped.firstIndex(where: { $0.remote == message.header.ratchetKey }),
            let key = skipped[index].keys.take(at: message.nonce.position)
        else { return nil }
        if skipped[index].keys.isEmpty { skipped.remove(at: index) }
        return key
    }

    private mutating func skipReceiving(to target: UInt64) throws(CryptoError) {
        guard var chain = receiving, let remote, target > chain.position else { return }
        let index = skipped.firstIndex { $0.remote == remote }
        var keys = index.map { skipped[$0].keys } ?? SkippedKeys()
        try chain.skip(to: target, keeping: &keys)
        receiving = chain
        if let index {
            skipped[index].keys = keys
        } else {
            skipped.append(SkippedChain(remote: remote, keys: keys))
            if skipped.count > Self.skippedChainsMax { skipped.removeFirst() }
        }
    }

    /// The Diffie-Hellman step: a receiving chain for the other side's new key, then a sending chain under a new own key.
    private mutating func turn(
        to key: AgreementPublicKey, from random: some RandomSource
    ) throws(CryptoError) {
        let incoming = KeyDerivation.ratchetRoot(root, try own.agree(with: key))
        previousCount = UInt32(truncatingIfNeeded: sending?.position ?? 0)
        remote = key
        receiving = ChainKey(incoming.second)
        own = try .generate(from: random)
        let outgoing = KeyDerivation.ratchetRoot(incoming.first, try own.agree(with: key))
        root = outgoing.first
        sending = ChainKey(outgoing.second)
    }
}

extension KeyDerivation {
    /// KDF_RK: the next root key and the key of a new chain.
    static func ratchetRoot(_ root: Secret, _ agreed: Secret) -> (first: Secret, second: Secret) {
        pair(agreed, salt: root, info: Array("DCP1:ratchet-root".utf8))
    }
}
