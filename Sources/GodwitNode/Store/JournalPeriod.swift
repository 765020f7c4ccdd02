import GodwitCrypto
import GodwitProtocol

/// Why the journal has no body of a message (docs/protocol.md §9.6).
enum Hole: String, Sendable, CaseIterable {
    case deleted, expired, erased
    /// Its author's or reader's account keeps no history.
    case unkept = "not_kept"
}

/// A stretch of uptime whose messages of one retention share a key. When the key is destroyed they are unreadable,
/// whatever a disk still holds of them (NIST SP 800-88, gap G-88).
struct JournalPeriod {
    /// Milliseconds for which its messages are kept at most.
    var keeps: Int64
    var slot: Int64
    /// On the scale of the spool's uptime.
    var ends: Int64
    private let key: Secret

    /// A 64th of the retention, from a minute to a day: so much earlier than it says a message may go, never later.
    static func length(keeping keeps: Int64) -> Int64 { min(max(60_000, keeps / 64), 86_400_000) }

    static func slot(keeping keeps: Int64, at uptime: Int64) -> Int64 { uptime / length(keeping: keeps) }

    /// A new period with a key of its own.
    static func make(keeping keeps: Int64, at uptime: Int64) throws -> JournalPeriod {
        let slot = slot(keeping: keeps, at: uptime)
        return JournalPeriod(
            keeps: keeps, slot: slot, ends: slot * length(keeping: keeps) + keeps,
            key: Secret(SystemRandom().bytes(AEAD.keyCount)))
    }

    private init(keeps: Int64, slot: Int64, ends: Int64, key: Secret) {
        self.keeps = keeps
        self.slot = slot
        self.ends = ends
        self.key = key
    }

    /// - Parameter wrapped: as `wrapped(by:)` gives it.
    init(keeps: Int64, slot: Int64, ends: Int64, wrapped: [UInt8], by master: Secret) throws {
        let key = try AEAD.open(
            Array(wrapped.dropFirst(AEAD.nonceCount)), key: master, nonce: Array(wrapped.prefix(AEAD.nonceCount)),
            associatedData: Self.context(keeps, slot))
        self.init(keeps: keeps, slot: slot, ends: ends, key: Secret(key))
    }

    func wrapped(by master: Secret) throws -> [UInt8] {
        let nonce = SystemRandom().bytes(AEAD.nonceCount)
        return nonce
            + (try AEAD.seal(key.copyBytes(), key: master, nonce: nonce, associatedData: Self.context(keeps, slot)))
    }

    private static func context(_ keeps: Int64, _ slot: Int64) -> [UInt8] {
        Array("DCP1:journal-period/\(keeps)/\(slot)".utf8)
    }

    /// Nonce, ciphertext and tag. Nonces are drawn at random: a key seals no more than a day's messages.
    func seal(_ body: [UInt8], of hash: MessageHash) throws -> [UInt8] {
        let nonce = SystemRandom().bytes(AEAD.nonceCount)
        return nonce + (try AEAD.seal(body, key: key, nonce: nonce, associatedData: hash.bytes))
    }

    func open(_ sealed: [UInt8], of hash: [UInt8]) throws -> [UInt8] {
        try AEAD.open(
            Array(sealed.dropFirst(AEAD.nonceCount)), key: key, nonce: Array(sealed.prefix(AEAD.nonceCount)),
            associatedData: hash)
    }

    /// The key that wraps those of periods follows from the node's own, which lies in its home, not in the database.
    static func master(of node: SigningKey) throws -> Secret {
        try KeyDerivation.hkdf(node.seed, info: Array("DCP1:journal".utf8), count: AEAD.keyCount)
    }
}

extension Message {
    /// Bytes of the canonical JSON that its author signed: a cover, if it came with one, stands for a signature, which
    /// has 94 bytes more than null.
    var authoredSize: Int {
        object["cover"] == nil
            ? canonicalBytes.count : object.canonicalBytes(omitting: ["cover", "signed_by"]).count + 94
    }
}
