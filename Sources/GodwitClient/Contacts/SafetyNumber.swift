import Crypto
public import GodwitProtocol

/// What two users compare over another way to know that nobody stands between them: 60 digits, or a QR code, from both
/// user ids and identity keys (docs/protocol.md §4.7). Both see the same number; a changed key changes it.
public struct SafetyNumber: Sendable, Hashable {
    /// Changes with the way in which it is computed.
    static let version: UInt8 = 1
    /// Rounds of SHA-512, so that a key with a number alike in many places is dear to look for.
    static let iterations = 5_200
    private static let label = "DCP1:safety-number"
    private static let scannedPrefix = "DCP1:safety:1:"

    private let own: [UInt8]
    private let other: [UInt8]

    /// Takes some milliseconds.
    /// - Parameters: raw Ed25519 identity keys.
    public init(own: UserID, key: [UInt8], other: UserID, key otherKey: [UInt8]) {
        self.own = Self.fingerprint(of: own, key)
        self.other = Self.fingerprint(of: other, otherKey)
    }

    private static func fingerprint(of user: UserID, _ key: [UInt8]) -> [UInt8] {
        var hash = SHA512()
        hash.update(data: Array(label.utf8) + [0, version] + key + Array(user.text.utf8))
        var digest = Array(hash.finalize())
        for _ in 1..<iterations {
            var next = SHA512()
            next.update(data: digest)
            next.update(data: key)
            digest = Array(next.finalize())
        }
        return digest
    }

    /// 60 digits; the same on both sides.
    public var digits: String { [own, other].map(Self.digits).sorted().joined() }

    /// The digits as people read them out: twelve groups of five.
    public var groups: [String] {
        let digits = Array(digits)
        return stride(from: 0, to: digits.count, by: 5).map { String(digits[$0..<$0 + 5]) }
    }

    /// 30 digits of the first 30 bytes: every 5 bytes, big-endian, modulo 100,000.
    private static func digits(_ fingerprint: [UInt8]) -> String {
        stride(from: 0, to: 30, by: 5).map { start in
            let value = fingerprint[start..<start + 5].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 100_000
            let digits = String(value)
            return String(repeating: "0", count: 5 - digits.count) + digits
        }.joined()
    }

    /// What the QR code carries: 79 characters, this side first.
    public var scannable: String {
        Self.scannedPrefix + Base32.encode(own.prefix(20)) + ":" + Base32.encode(other.prefix(20))
    }

    /// Whether the other side's code, or its 60 digits in any spacing, agree with this one.
    ///
    /// - Throws: `ProtocolError` 2000 for what is neither.
    public func agrees(with compared: String) throws(ProtocolError) -> Bool {
        if compared.hasPrefix(Self.scannedPrefix) {
            let parts = compared.dropFirst(Self.scannedPrefix.count).split(separator: ":")
            guard parts.count == 2, let theirs = Base32.decode(String(parts[0])),
                let mine = Base32.decode(String(parts[1])), theirs.count == 20, mine.count == 20
            else {
                throw .malformed("The scanned code is damaged.", member: "scanned", hint: "Scan it again.")
            }
            return theirs == Array(other.prefix(20)) && mine == Array(own.prefix(20))
        }
        guard compared.allSatisfy({ $0.isASCII && ($0.isNumber || $0.isWhitespace) }) else {
            throw .malformed(
                "This is no safety number.", member: "number",
                hint: "Give the other side's 60 digits, or what its QR code says.")
        }
        let given = compared.filter { !$0.isWhitespace }
        guard given.count == 60 else {
            throw .malformed("A safety number has 60 digits.", member: "number", hint: "Compare all of it.")
        }
        return given == digits
    }
}
