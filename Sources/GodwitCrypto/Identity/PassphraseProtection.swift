public import GodwitProtocol

/// `encrypted_data` of an identity file: secrets under a passphrase, in a record that says how (docs/protocol.md,
/// section 4.4; ID-24, E2E-13, E2E-14, gaps G-18 and G-20).
public enum PassphraseProtection {
    /// The longest record that is read, in bytes before base64.
    public static let recordMax = 65_536

    /// Seals `secrets`, an object with at least `seed`.
    ///
    /// - Parameters:
    ///   - fullID: `identity.full_id` of the file; bound to the record.
    ///   - publicKey: `identity.public_key` of the file, as it stands there; bound to the record.
    /// - Returns: base64 for the member `encrypted_data`.
    /// - Throws: 2000 for parameters outside the limits, 2001 for a record longer than `recordMax`, 9000 when memory
    ///   for Argon2id is missing. Blocks; see `PassphraseKDF.masterKey`.
    public static func protect(
        _ secrets: JSONObject, passphrase: String, kdf: PassphraseKDF, fullID: String, publicKey: String,
        from random: some RandomSource = SystemRandom()
    ) throws(ProtocolError) -> String {
        let key = try encryptionKey(passphrase, kdf)
        let nonce = random.bytes(AEAD.nonceCount)
        var clear = secrets.canonicalBytes()
        defer { clear.wipe() }
        let sealed: [UInt8]
        do {
            sealed = try AEAD.seal(
                clear, key: key, nonce: nonce, associatedData: associatedData(fullID, publicKey))
        } catch {
            throw ProtocolError(.internalError, "The secrets could not be sealed.")
        }
        let record: JSONObject = [
            "version": 1, "kdf": .object(kdf.object), "nonce": .string(Base64.encode(nonce)),
            "ciphertext": .string(Base64.encode(sealed)),
        ]
        let bytes = record.canonicalBytes()
        guard bytes.count <= recordMax else {
            throw .tooLarge("The protected secrets are too large.", actual: bytes.count, firstRefused: recordMax + 1)
        }
        return Base64.encode(bytes)
    }

    /// Opens a record.
    ///
    /// - Throws: 1000 when the passphrase is wrong or the record belongs to another identity; 2000 for a record of
    ///   another form or with parameters outside the limits, which are checked before any work is done for them.
    public static func unprotect(
        _ encryptedData: String, passphrase: String, fullID: String, publicKey: String
    ) throws(ProtocolError) -> JSONObject {
        guard encryptedData.utf8.count <= (recordMax + 2) / 3 * 4, let bytes = Base64.decode(encryptedData),
            bytes.count <= recordMax
        else { throw unreadable }
        let record: JSONObject = try JSONObject.parse(bytes)
        guard record["version"]?.integer == 1 else {
            throw .malformed(
                "The protected secrets have an unknown version.", member: "encrypted_data.version",
                hint: "Use a newer client.")
        }
        guard let kdf = record["kdf"]?.object.flatMap(PassphraseKDF.init(object:)),
            let nonce = record["nonce"]?.string.flatMap(Base64.decode), nonce.count == AEAD.nonceCount,
            let ciphertext = record["ciphertext"]?.string.flatMap(Base64.decode),
            ciphertext.count >= AEAD.tagCount
        else { throw unreadable }
        let key = try encryptionKey(passphrase, kdf)
        var clear: [UInt8]
        do {
            clear = try AEAD.open(
                ciphertext, key: key, nonce: nonce, associatedData: associatedData(fullID, publicKey))
        } catch {
            throw ProtocolError(
                .invalidCredentials, "The passphrase does not open this identity.",
                hint: "Check the passphrase, and that the file was not put together from two.")
        }
        defer { clear.wipe() }
        return try JSONObject.parse(clear)
    }

    private static func encryptionKey(_ passphrase: String, _ kdf: PassphraseKDF) throws(ProtocolError) -> Secret {
        do {
            return KeyHierarchy(masterKey: try kdf.masterKey(passphrase: passphrase)).encryptionKey
        } catch .outOfMemory {
            throw ProtocolError(
                .internalError, "There is not enough memory to open this identity.",
                hint: "The identity asks for more memory than this machine can give to Argon2id.")
        } catch {
            throw .malformed(
                "The parameters of the passphrase protection are outside the limits.", member: "encrypted_data.kdf",
                hint: "PBKDF2: 100,000 to 10,000,000 iterations. Argon2id: 8 MiB to 1 GiB, 1 to 16 passes.")
        }
    }

    private static func associatedData(_ fullID: String, _ publicKey: String) -> [UInt8] {
        Array(fullID.utf8) + [0] + Array(publicKey.utf8)
    }

    private static var unreadable: ProtocolError {
        .malformed(
            "The protected secrets cannot be read.", member: "encrypted_data", hint: "Export the identity again.")
    }
}
