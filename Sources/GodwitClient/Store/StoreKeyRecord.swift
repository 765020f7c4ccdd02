import GodwitCrypto
import GodwitProtocol
public import GodwitSpool

/// The key of a device's store under its passphrase: a small file beside the store. Without it the store is lost.
public enum StoreKeyRecord {
    private static let purpose = "godwit-store-key"

    /// Draws a key.
    ///
    /// - Returns: the key, and the record with it under the passphrase (Argon2id, 64 MiB, 3 passes; blocks so long).
    /// - Throws: `ProtocolError` 2000 for an empty passphrase, 9000 when memory for Argon2id is missing.
    public static func make(passphrase: String) throws -> (key: StoreKey, record: [UInt8]) {
        let secret = Secret.random(StoreKey.count, from: SystemRandom())
        return (try secret.withBytes { try StoreKey($0) }, try wrap(secret, passphrase))
    }

    /// The key of a record.
    /// - Throws: `ProtocolError` 1000 for a wrong passphrase, 2000 for bytes that are no record.
    public static func open(_ record: [UInt8], passphrase: String) throws -> StoreKey {
        try secret(record, passphrase).withBytes { try StoreKey($0) }
    }

    /// The same key under another passphrase. Copies of the record from before still open with the old one.
    /// - Throws: as `open` and `make`.
    public static func rewrap(_ record: [UInt8], from old: String, to new: String) throws -> [UInt8] {
        try wrap(secret(record, old), new)
    }

    private static func wrap(_ secret: Secret, _ passphrase: String) throws -> [UInt8] {
        guard !passphrase.isEmpty else {
            throw ProtocolError.malformed("The passphrase is empty.", hint: "Choose one that nobody guesses.")
        }
        return try KeyWrapping.wrap(secret, passphrase: passphrase, kdf: .highSecurity(), purpose: purpose)
            .canonicalBytes()
    }

    private static func secret(_ record: [UInt8], _ passphrase: String) throws -> Secret {
        do {
            return try KeyWrapping.unwrap(record, passphrase: passphrase, purpose: purpose)
        } catch  where error.code == .invalidCredentials {
            throw ProtocolError(
                .invalidCredentials, "The passphrase does not open this device's store.",
                hint: "It is the one of the store, which may be another than the identity's.")
        }
    }
}
