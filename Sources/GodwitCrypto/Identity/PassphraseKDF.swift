import GodwitProtocol
// The standard library normalises for its own comparisons; that view is the only NFC without Foundation.
@_spi(_Unicode) import Swift

/// How a passphrase becomes a master key, with the parameters that the record carries (docs/protocol.md, section 4.4).
public enum PassphraseKDF: Hashable, Sendable {
    case pbkdf2(iterations: Int, salt: [UInt8])
    case argon2id(memoryKiB: Int, passes: Int, salt: [UInt8])

    public static let iterations = 100_000...10_000_000
    public static let pbkdf2SaltCounts = 16...64
    public static let argon2SaltCount = 16
    public static let memoryKiB = 8_192...1_048_576
    public static let passes = 1...16

    /// PBKDF2-HMAC-SHA256 with a fresh salt (ID-24, E2E-13).
    public static func standard(
        iterations: Int = 100_000, from random: some RandomSource = SystemRandom()
    ) -> PassphraseKDF {
        .pbkdf2(iterations: iterations, salt: random.bytes(16))
    }

    /// Argon2id with a fresh salt (SEC-01).
    public static func highSecurity(
        memoryKiB: Int = 65_536, passes: Int = 3, from random: some RandomSource = SystemRandom()
    ) -> PassphraseKDF {
        .argon2id(memoryKiB: memoryKiB, passes: passes, salt: random.bytes(argon2SaltCount))
    }

    /// Derives the 32-byte master key. Blocks for tens of milliseconds up to minutes, by the parameters.
    ///
    /// - Throws: `parameters` outside the limits above, `outOfMemory`.
    public func masterKey(passphrase: String) throws(CryptoError) -> Secret {
        guard isWithinLimits else { throw .parameters }
        var bytes = Self.normalised(passphrase)
        defer { bytes.wipe() }
        switch self {
        case .pbkdf2(let iterations, let salt):
            return try KeyDerivation.pbkdf2(passphrase: bytes, salt: salt, iterations: iterations, count: 32)
        case .argon2id(let memoryKiB, let passes, let salt):
            return try KeyDerivation.argon2id(
                passphrase: bytes, salt: salt, memoryKiB: memoryKiB, passes: passes, count: 32)
        }
    }

    /// UTF-8 of the passphrase in Unicode's form NFC, so that keyboards which compose differently agree.
    static func normalised(_ passphrase: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for character in passphrase._nfc { bytes += Array(character.utf8) }
        return bytes
    }

    var isWithinLimits: Bool {
        switch self {
        case .pbkdf2(let iterations, let salt):
            Self.iterations.contains(iterations) && Self.pbkdf2SaltCounts.contains(salt.count)
        case .argon2id(let memoryKiB, let passes, let salt):
            Self.memoryKiB.contains(memoryKiB) && Self.passes.contains(passes)
                && salt.count == Self.argon2SaltCount
        }
    }

    var object: JSONObject {
        switch self {
        case .pbkdf2(let iterations, let salt):
            [
                "name": "pbkdf2-hmac-sha256", "iterations": .integer(Int64(iterations)),
                "salt": .string(Base64.encode(salt)),
            ]
        case .argon2id(let memoryKiB, let passes, let salt):
            [
                "name": "argon2id", "memory_kib": .integer(Int64(memoryKiB)), "passes": .integer(Int64(passes)),
                "salt": .string(Base64.encode(salt)),
            ]
        }
    }

    /// Nil if the record has another form; the limits are checked by whoever uses it.
    init?(object: JSONObject) {
        guard let salt = object["salt"]?.string.flatMap(Base64.decode) else { return nil }
        switch object["name"]?.string {
        case "pbkdf2-hmac-sha256":
            guard let iterations = object["iterations"]?.integer else { return nil }
            self = .pbkdf2(iterations: Int(iterations), salt: salt)
        case "argon2id":
            guard let memory = object["memory_kib"]?.integer, let passes = object["passes"]?.integer else { return nil }
            self = .argon2id(memoryKiB: Int(memory), passes: Int(passes), salt: salt)
        default: return nil
        }
    }
}
