public import GodwitProtocol

/// A key under a passphrase, in a record that says how: the same derivation and cipher as `PassphraseProtection`, for a
/// key of a machine instead of a person's secrets.
public enum KeyWrapping {
    /// The longest record that is read, in bytes.
    public static let recordMax = 4_096

    /// Wraps a key.
    ///
    /// - Parameter purpose: what the key is for; bound to the record.
    /// - Throws: 2000 for parameters outside the limits, 9000 when memory for Argon2id is missing. Blocks; see
    ///   `PassphraseKDF.masterKey`.
    public static func wrap(
        _ key: Secret, passphrase: String, kdf: PassphraseKDF, purpose: String,
        from random: some RandomSource = SystemRandom()
    ) throws(ProtocolError) -> JSONObject {
        let wrapping = try wrappingKey(passphrase, kdf)
        let nonce = random.bytes(AEAD.nonceCount)
        var clear = key.copyBytes()
        defer { clear.wipe() }
        do {
            let sealed = try AEAD.seal(clear, key: wrapping, nonce: nonce, associatedData: Array(purpose.utf8))
            return [
                "purpose": .string(purpose), "version": 1, "kdf": .object(kdf.object),
                "nonce": .string(Base64.encode(nonce)), "ciphertext": .string(Base64.encode(sealed)),
            ]
        } catch {
            throw ProtocolError(.internalError, "The key could not be wrapped.")
        }
    }

    /// Opens a record.
    ///
    /// - Throws: 1000 when the passphrase is wrong or the record was altered; 2000 for a record of another form or purpose,
    ///   or with parameters outside the limits, which are checked before any work is done for them.
    public static func unwrap(_ bytes: [UInt8], passphrase: String, purpose: String) throws(ProtocolError) -> Secret {
        guard bytes.count <= recordMax else { throw unreadable }
        let record: JSONObject = try JSONObject.parse(bytes)
        guard record["version"]?.integer == 1 else {
            throw .malformed("The wrapped key has an unknown version.", member: "version", hint: "Use a newer version.")
        }
        guard record["purpose"]?.string == purpose,
            let kdf = record["kdf"]?.object.flatMap(PassphraseKDF.init(object:)),
            let nonce = record["nonce"]?.string.flatMap(Base64.decode), nonce.count == AEAD.nonceCount,
            let ciphertext = record["ciphertext"]?.string.flatMap(Base64.decode),
            ciphertext.count == AEAD.keyCount + AEAD.tagCount
        else { throw unreadable }
        let wrapping = try wrappingKey(passphrase, kdf)
        do {
            var clear = try AEAD.open(
                ciphertext, key: wrapping, nonce: nonce, associatedData: Array(purpose.utf8))
            defer { clear.wipe() }
            return Secret(clear)
        } catch {
            throw ProtocolError(.invalidCredentials, "The passphrase is wrong.", hint: "Check the passphrase.")
        }
    }

    private static func wrappingKey(_ passphrase: String, _ kdf: PassphraseKDF) throws(ProtocolError) -> Secret {
        do {
            return KeyHierarchy(masterKey: try kdf.masterKey(passphrase: passphrase)).encryptionKey
        } catch .outOfMemory {
            throw ProtocolError(
                .internalError, "There is not enough memory for the passphrase.",
                hint: "The key was wrapped with more memory for Argon2id than this machine can give.")
        } catch {
            throw .malformed(
                "The parameters of the passphrase protection are outside the limits.", member: "kdf",
                hint: "PBKDF2: 100,000 to 10,000,000 iterations. Argon2id: 8 MiB to 1 GiB, 1 to 16 passes.")
        }
    }

    private static var unreadable: ProtocolError {
        .malformed("The wrapped key cannot be read.", hint: "Put back a copy of the file.")
    }
}
