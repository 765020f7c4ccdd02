public import GodwitCrypto
public import GodwitProtocol

/// Makes, opens and checks identity files (004 §4).
public enum IdentityBuilder {
    /// Makes an identity with a fresh signing key. The key's seed stands in `encrypted_data` under the passphrase; the
    /// sections `identity` and the whole file are signed by it. Blocks for as long as the key derivation takes.
    ///
    /// - Parameters:
    ///   - endpoint: WebSocket URL of the home node, `wss://…`.
    ///   - nodeName: what the home node calls itself.
    ///   - displayName: what people see; nil for none.
    /// - Throws: `ProtocolError` 2000 for members out of their limits, what `PassphraseProtection.protect` throws.
    public static func create(
        username: Username, node: NodeID, endpoint: String, nodeName: String, displayName: String?, passphrase: String,
        kdf: PassphraseKDF, created: Timestamp
    ) throws -> (file: IdentityFile, key: SigningKey) {
        let key = try SigningKey.generate()
        let userID = UserID(node: node, username: username)
        var identity: JSONObject = [
            "full_id": .string(userID.text), "username": .string(username.text), "home_node_id": .string(node.text),
            "public_key": .string(key.publicKey.text), "created": .string(created.description),
        ]
        identity["display_name"] = displayName.map { .string($0) }
        let secrets: JSONObject = ["seed": .string(Base64.encode(key.seed.copyBytes()))]
        let encrypted = try PassphraseProtection.protect(
            secrets, passphrase: passphrase, kdf: kdf, fullID: userID.text, publicKey: key.publicKey.text)
        let file: JSONObject = [
            "version": .string(IdentityFile.version), "identity": .object(identity),
            "home_node": [
                "id": .string(node.text), "endpoint": .string(endpoint), "name": .string(nodeName),
                "joined": .string(created.description),
            ],
            "account_type": .string(AccountType.standard.rawValue), "encrypted_data": .string(encrypted),
            "signature": .string(key.sign(object: identity, purpose: .identity).text),
        ]
        let signed = key.signed(file, purpose: .identityFile, member: "file_signature")
        return (try IdentityFile(signed), key)
    }

    /// The signing key of an identity file. Blocks for as long as the key derivation takes.
    ///
    /// - Throws: `ProtocolError` 1000 for a wrong passphrase, or when the seed is not that of the file's public key.
    public static func unlock(_ file: IdentityFile, passphrase: String) throws -> SigningKey {
        let publicKey = file.identity["public_key"]?.string ?? ""
        let secrets = try PassphraseProtection.unprotect(
            file.encryptedData, passphrase: passphrase, fullID: file.userID.text, publicKey: publicKey)
        guard let seed = secrets["seed"]?.string.flatMap({ Base64.decode($0) }), seed.count == SigningKey.seedCount
        else {
            throw ProtocolError.malformed("The protected secrets have no seed.", member: "encrypted_data")
        }
        let key = try SigningKey(seed: Secret(seed))
        guard key.publicKey.bytes == file.publicKey else {
            throw ProtocolError(
                .invalidCredentials, "The protected seed is not that of the file's public key.",
                hint: "The file was put together from two; use a backup.")
        }
        return key
    }

    /// What was found out about an identity file without its passphrase.
    public struct Checks: Sendable, Hashable {
        /// The signature over the section `identity`.
        public var identitySignature: Bool
        /// The signature over the whole file; nil where there is none.
        public var fileSignature: Bool?

        /// Nothing that is signed has been altered. A file without `file_signature` passes: 004 has none.
        public var isValid: Bool { identitySignature && fileSignature ?? true }
    }

    public static func verify(_ file: IdentityFile) -> Checks {
        let section = try? IdentityFile(file.object.omitting(["file_signature"]))
        return Checks(
            identitySignature: section.map { file in Self.passes { try KeyChecks.verify(file) } } ?? false,
            fileSignature: file.object["file_signature"].map { _ in
                Self.passes {
                    try KeyChecks.verify(
                        file.object, signedBy: file.publicKey, purpose: .identityFile, member: "file_signature")
                }
            })
    }

    private static func passes(_ check: () throws -> Void) -> Bool {
        do {
            try check()
            return true
        } catch {
            return false
        }
    }
}
