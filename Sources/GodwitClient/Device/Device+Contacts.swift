import GodwitCrypto
public import GodwitProtocol

/// Other users: whose keys are believed, what they are called, and whose words are not shown.
extension Device {
    /// All users of whom this device knows a key, a name or a block, by their ids.
    public func contacts() async throws -> [Contact] { try await store.read { try $0.contacts() } }

    public func contact(_ user: UserID) async throws -> Contact? { try await store.read { try $0.contact(user) } }

    /// The number that both users compare.
    /// - Parameter offered: of the key that the user has shown in place of the pinned one.
    /// - Throws: `ProtocolError` 2003 where no key is known.
    public func safetyNumber(with user: UserID, offered: Bool = false) async throws -> SafetyNumber {
        let contact = try await store.read { try $0.known(user) }
        guard let key = offered ? contact.offered?.publicKey : contact.publicKey else {
            throw ProtocolError(.userNotFound, "The user has shown no other key.")
        }
        return SafetyNumber(own: userID, key: identityFile.publicKey, other: user, key: key)
    }

    /// Notes that this user has compared the safety number, or takes that back.
    /// - Throws: `ProtocolError` 2003 where no key is known.
    public func setVerified(_ user: UserID, _ isVerified: Bool) async throws {
        try await store.write { try $0.setVerified(user, isVerified) }
    }

    /// Believes the key that a user has shown in place of the pinned one. It is not verified.
    /// - Throws: `ProtocolError` 2003 where there is none.
    public func acceptKey(of user: UserID) async throws { try await store.write { try $0.acceptKey(of: user) } }

    /// Tells others that this user has verified a key (WOT-01), or takes that back.
    /// - Throws: `ProtocolError` 1002 for a key that is not verified; as `send`.
    public func vouch(for user: UserID, to readers: [UserID], withdrawing: Bool = false) async throws {
        try await store.write { try $0.vouch(for: user, to: readers, withdrawing: withdrawing) }
    }

    /// Shows nothing of a user any more, or shows it again. The home node learns of it with the identity file.
    /// - Throws: `ProtocolError` 2000 for oneself, 1002 beyond 1,000 users.
    public func setBlocked(_ user: UserID, _ isBlocked: Bool) async throws {
        try await store.write { try $0.setBlocked(user, isBlocked) }
    }

    /// Gives a name to a user or channel; nil takes it away.
    /// - Throws: `ProtocolError` 2000 for what is no name, 1002 beyond 1,000 of a kind.
    public func setAlias(_ name: String, _ target: MessageTarget?) async throws {
        try await store.write { try $0.setAlias(name, target) }
    }

    public func addressBook() async throws -> AddressBook { try await store.read { try $0.addressBook() } }

    /// The identity file's member `preferences` as it is to be, with the names and blocks of this device.
    public func preferences() async throws -> JSONObject { try await store.read { try $0.preferences() } }

    /// Keeps another version of the user's identity file. Holds from the next opening on.
    /// - Throws: `ProtocolError` 1000 for another user's or with another key.
    public func replaceIdentity(_ file: IdentityFile) async throws {
        try KeyChecks.verify(file)
        try await store.write { try $0.replaceIdentity(file) }
    }
}
