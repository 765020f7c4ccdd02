import Crypto
import GodwitProtocol

/// One-time passwords from a shared secret: HOTP (RFC 4226) counts logins, TOTP (RFC 6238) steps of 30 seconds.
public struct OneTimePassword: Sendable {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha1 = "SHA1"
        case sha256 = "SHA256"

        /// Bytes of a fresh secret: as many as the hash has (RFC 4226 §4, RFC 6238 §3).
        public var secretCount: Int { self == .sha1 ? 20 : 32 }
    }

    /// Milliseconds of a step of TOTP.
    public static let step: Int64 = 30_000
    public static let digitsRange = 6...8

    private let secret: Secret
    private let algorithm: Algorithm
    private let digits: Int

    /// - Precondition: `digits` is in `digitsRange`.
    public init(secret: Secret, algorithm: Algorithm, digits: Int) {
        precondition(Self.digitsRange.contains(digits), "6 to 8 digits")
        self.secret = secret
        self.algorithm = algorithm
        self.digits = digits
    }

    /// The password at a counter (RFC 4226 §5.3).
    public func password(at counter: Int64) -> String {
        let message = (0..<8).map { UInt8(truncatingIfNeeded: counter >> (56 - 8 * $0)) }
        let key = secret.withBytes { SymmetricKey(data: $0) }
        let code: [UInt8] =
            switch algorithm {
            case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: message, using: key))
            case .sha256: Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
            }
        let offset = Int(code[code.count - 1] & 0x0F)
        let number = code[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } & 0x7FFF_FFFF
        let text = String(number % (digits == 6 ? 1_000_000 : digits == 7 ? 10_000_000 : 100_000_000))
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The first counter of `counters` whose password this is. All are computed, whichever fits.
    public func counter(of password: String, among counters: some Sequence<Int64>) -> Int64? {
        var found: Int64?
        for counter in counters where Self.isEqual(self.password(at: counter), password) { found = found ?? counter }
        return found
    }

    /// In a time that tells nothing of where they differ.
    private static func isEqual(_ one: String, _ other: String) -> Bool {
        Secret(Array(one.utf8)) == Secret(Array(other.utf8))
    }

    /// What authenticator programs read, mostly as a QR code (Key URI Format).
    public static func uri(
        secret: [UInt8], counter: Int64?, algorithm: Algorithm, digits: Int, account: String, issuer: String
    ) -> String {
        let key = Base32.encode(secret).uppercased()
        let kind = counter == nil ? "totp" : "hotp"
        let moving = counter.map { "counter=\($0)" } ?? "period=\(step / 1_000)"
        return "otpauth://\(kind)/Godwit%20\(issuer):\(account)?secret=\(key)&issuer=Godwit%20\(issuer)"
            + "&algorithm=\(algorithm.rawValue)&digits=\(digits)&\(moving)"
    }
}
