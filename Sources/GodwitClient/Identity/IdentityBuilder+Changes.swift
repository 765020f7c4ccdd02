public import GodwitCrypto
public import GodwitProtocol

extension IdentityBuilder {
    /// The file with other preferences, signed anew as a whole.
    ///
    /// - Throws: `ProtocolError` 2000 for preferences out of their limits.
    public static func setting(
        preferences: JSONObject, of file: IdentityFile, key: SigningKey
    ) throws(ProtocolError) -> IdentityFile {
        try signed(file.object.setting("preferences", .object(preferences)), key)
    }

    /// The file with its secrets under another passphrase. Blocks for as long as both key derivations take.
    ///
    /// - Throws: as `unlock` and `create`.
    public static func changingPassphrase(
        of file: IdentityFile, from old: String, to new: String, kdf: PassphraseKDF
    ) throws -> IdentityFile {
        let publicKey = file.identity["public_key"]?.string ?? ""
        let key = try unlock(file, passphrase: old)
        let secrets = try PassphraseProtection.unprotect(
            file.encryptedData, passphrase: old, fullID: file.userID.text, publicKey: publicKey)
        let sealed = try PassphraseProtection.protect(
            secrets, passphrase: new, kdf: kdf, fullID: file.userID.text, publicKey: publicKey)
        return try signed(file.object.setting("encrypted_data", .string(sealed)), key)
    }

    private static func signed(_ object: JSONObject, _ key: SigningKey) throws(ProtocolError) -> IdentityFile {
        try IdentityFile(
            key.signed(object.omitting(["file_signature"]), purpose: .identityFile, member: "file_signature"))
    }
}
