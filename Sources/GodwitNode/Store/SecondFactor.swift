import GodwitCrypto
import GodwitProtocol

/// A user's one-time passwords as they are stored (MFA-01).
struct SecondFactor: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        /// By the clock: steps of 30 seconds.
        case totp
        /// By a counter: for sites whose clocks are not to be trusted.
        case hotp
    }

    /// Counters ahead that are tried: how often a token may be pressed without logging in.
    static let lookAhead: Int64 = 10
    /// Steps before and after the node's own (RFC 6238 §5.2).
    static let skew: Int64 = 1

    var kind: Kind
    var algorithm: OneTimePassword.Algorithm
    var digits: Int
    var secret: Secret
    /// TOTP: the last step that was used, or -1. HOTP: the next counter.
    var counter: Int64
    var isConfirmed: Bool

    /// What `counter` is after this password was used; nil if it is wrong, or was used before.
    func accepting(_ password: String, at now: Timestamp) -> Int64? {
        let passwords = OneTimePassword(secret: secret, algorithm: algorithm, digits: digits)
        switch kind {
        case .totp:
            let step = now.milliseconds / OneTimePassword.step
            let found = passwords.counter(of: password, among: (step - Self.skew)...(step + Self.skew))
            return found.flatMap { $0 > counter ? $0 : nil }
        case .hotp:
            return passwords.counter(of: password, among: counter..<counter + Self.lookAhead).map { $0 + 1 }
        }
    }

    /// For authenticator programs.
    func uri(of user: UserID) -> String {
        var bytes = secret.copyBytes()
        defer { bytes = [] }
        return OneTimePassword.uri(
            secret: bytes, counter: kind == .hotp ? counter : nil, algorithm: algorithm, digits: digits,
            account: user.username.text, issuer: user.node.text)
    }
}

/// Seals what the node keeps of its users' secrets, under a key derived from its own: a copy of the store alone opens
/// none of them.
struct SecretSeal: Sendable {
    private let key: Secret

    init(_ signingKey: SigningKey) throws {
        key = try KeyDerivation.hkdf(signingKey.seed, info: Array("DCP1:stored-secrets".utf8), count: AEAD.keyCount)
    }

    /// - Parameter owner: whose it is: a secret moved to another's row does not open.
    func seal(_ secret: Secret, of owner: UserID) throws -> [UInt8] {
        let nonce = SystemRandom().bytes(AEAD.nonceCount)
        return try nonce
            + AEAD.seal(secret.copyBytes(), key: key, nonce: nonce, associatedData: Array(owner.text.utf8))
    }

    func open(_ sealed: [UInt8], of owner: UserID) throws -> Secret {
        Secret(
            try AEAD.open(
                Array(sealed.dropFirst(AEAD.nonceCount)), key: key, nonce: Array(sealed.prefix(AEAD.nonceCount)),
                associatedData: Array(owner.text.utf8)))
    }
}

/// Codes that stand in for a lost token, each once.
enum RecoveryCode {
    static let count = 10

    /// 80 random bits, written in four groups.
    static func random() -> String {
        let text = Base32.encode(SystemRandom().bytes(10))
        return stride(from: 0, to: 16, by: 4).map { start in
            String(text.dropFirst(start).prefix(4))
        }.joined(separator: "-")
    }

    static func isOne(_ text: String) -> Bool { text.utf8.count == 19 }

    /// The codes are random, so one hash is enough.
    static func hash(_ code: String, of user: UserID) -> [UInt8] {
        SHA256Digest.of(Array("DCP1:recovery-code".utf8) + [0], Array(user.text.utf8) + [0], Array(code.utf8))
    }
}
