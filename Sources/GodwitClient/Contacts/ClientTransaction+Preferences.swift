import FoundationEssentials
import GRDB
import GodwitProtocol

/// Names and blocks (ID-17, ID-18): they hold on this device at once, and stand in the identity file once it is published.
extension ClientTransaction {
    func isBlocked(_ user: UserID) throws -> Bool {
        try row("SELECT 1 FROM client_block WHERE user = ?", [user.text]) != nil
    }

    /// Takes over what the identity file of a new device says.
    func takePreferences() throws {
        for statement in ClientSchema.preferences { try run(statement) }
    }

    func setBlocked(_ user: UserID, _ isBlocked: Bool) throws {
        guard user != context.user else {
            throw ProtocolError.malformed("Nobody blocks himself.", member: "user_id")
        }
        guard isBlocked else { return try run("DELETE FROM client_block WHERE user = ?", [user.text]) }
        try run("INSERT OR IGNORE INTO client_block (user) VALUES (?)", [user.text])
        guard try integer("SELECT count(*) FROM client_block") ?? 0 <= AccountPolicy.blockedMax else {
            throw ProtocolError(
                .insufficientPermissions, "At most 1,000 users are blocked.", hint: "Unblock somebody first.")
        }
    }

    /// - Parameter target: nil takes the name away.
    func setAlias(_ name: String, _ target: MessageTarget?) throws {
        try AddressBook.check(name)
        // One name for one thing, whatever it was before.
        try run("DELETE FROM client_alias WHERE name = ?", [name])
        guard let target else { return }
        let (kind, text) =
            switch target {
            case .user(let user): ("user", user.text)
            case .channel(let channel): ("channel", channel.text)
            }
        try run("INSERT INTO client_alias (kind, name, target) VALUES (?, ?, ?)", [kind, name, text])
        guard try integer("SELECT count(*) FROM client_alias WHERE kind = ?", [kind]) ?? 0 <= AddressBook.namesMax
        else {
            throw ProtocolError(
                .insufficientPermissions, "At most 1,000 users and 1,000 channels have a name.",
                hint: "Take another name away first.")
        }
    }

    func addressBook() throws -> AddressBook {
        var book = AddressBook(node: context.home.id)
        for row in try rows("SELECT kind, name, target FROM client_alias") {
            let (name, target): (String, String) = (row["name"], row["target"])
            // A file may name what is no address any more.
            if row["kind"] == "user" {
                book.users[name] = try? UserID(target)
            } else {
                book.channels[name] = try? ChannelID(target, defaultNode: context.home.id)
            }
        }
        return book
    }

    /// `preferences` of the identity file with the names and blocks of this device. A file names channels without their
    /// node, so only those of the home node are in it.
    func preferences() throws -> JSONObject {
        let known = context.identityFile.object["preferences"]?.object ?? [:]
        let book = try addressBook()
        var preferences = known
        let blocked = try rows("SELECT user FROM client_block ORDER BY user").map { JSONValue.string($0["user"]) }
        if !blocked.isEmpty || known["blocked_users"] != nil { preferences["blocked_users"] = .array(blocked) }
        let users = JSONObject(uniqueKeysWithValues: book.users.map { ($0.key, .string($0.value.text)) })
        let channels = JSONObject(
            uniqueKeysWithValues: book.channels.filter { $0.value.node == context.home.id }.map {
                ($0.key, .string($0.value.name.text))
            })
        if !users.isEmpty || !channels.isEmpty || known["aliases"] != nil {
            var aliases = known["aliases"]?.object ?? [:]
            aliases["users"] = .object(users)
            aliases["channels"] = .object(channels)
            preferences["aliases"] = .object(aliases)
        }
        return preferences
    }

    /// Puts another file of the same user and key in the place of the one that the device has.
    func replaceIdentity(_ file: IdentityFile) throws {
        guard file.userID == context.user, file.publicKey == context.identityFile.publicKey else {
            throw ProtocolError(
                .invalidCredentials, "The identity file is not that of this device's user.",
                hint: "A key stays with its user.")
        }
        try run("UPDATE client_identity SET identity_file = ?", [Data(file.object.canonicalBytes())])
    }
}
