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

    /// The file of the same person at another home node: another user id, the same key and the same profile. Aliases of
    /// channels stay behind, for a file names channels of its home node only. Blocks for as long as both key derivations
    /// take.
    ///
    /// - Parameters:
    ///   - endpoint: WebSocket URL of the new home node.
    ///   - now: when the user joined there.
    /// - Throws: as `unlock` and `create`.
    public static func moving(
        _ file: IdentityFile, to user: UserID, endpoint: String, nodeName: String, passphrase: String,
        kdf: PassphraseKDF, now: Timestamp
    ) throws -> IdentityFile {
        let publicKey = file.identity["public_key"]?.string ?? ""
        let key = try unlock(file, passphrase: passphrase)
        let secrets = try PassphraseProtection.unprotect(
            file.encryptedData, passphrase: passphrase, fullID: file.userID.text, publicKey: publicKey)
        let sealed = try PassphraseProtection.protect(
            secrets, passphrase: passphrase, kdf: kdf, fullID: user.text, publicKey: publicKey)
        let identity = file.identity.setting("full_id", .string(user.text))
            .setting("username", .string(user.username.text)).setting("home_node_id", .string(user.node.text))
        var object = file.object.setting("identity", .object(identity)).setting("encrypted_data", .string(sealed))
            .setting("signature", .string(key.sign(object: identity, purpose: .identity).text))
        object["home_node"] = [
            "id": .string(user.node.text), "endpoint": .string(endpoint), "name": .string(nodeName),
            "joined": .string(now.description),
        ]
        if var preferences = object["preferences"]?.object, let aliases = preferences["aliases"]?.object {
            preferences["aliases"] = .object(aliases.omitting(["channels"]))
            object["preferences"] = .object(preferences)
        }
        return try signed(object, key)
    }

    private static func signed(_ object: JSONObject, _ key: SigningKey) throws(ProtocolError) -> IdentityFile {
        try IdentityFile(
            key.signed(object.omitting(["file_signature"]), purpose: .identityFile, member: "file_signature"))
    }
}
