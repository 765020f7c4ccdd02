import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

extension NodeTransaction {
    private static func hash(ofInvite text: String) -> [UInt8] {
        SHA256Digest.of(Array("DCP1:registration-invite".utf8) + [0], Array(text.utf8))
    }

    /// Makes an invite to register here; only its hash is kept.
    /// - Parameter lifetime: in milliseconds.
    /// - Returns: the text to hand over, and the name by which it is listed and withdrawn.
    func makeInvite(uses: Int64, lifetime: Int64) throws -> (text: String, name: String) {
        let text = Base32.encode(SystemRandom().bytes(16))
        let hash = Self.hash(ofInvite: text)
        let name = Base32.encode(hash.prefix(5))
        try run("DELETE FROM node_registration_invite WHERE expires <= ? OR uses = 0", [now.milliseconds])
        try run(
            "INSERT INTO node_registration_invite (hash, name, uses, made, expires) VALUES (?, ?, ?, ?, ?)",
            [Data(hash), name, uses, now.milliseconds, now.milliseconds + lifetime])
        try audit(.inviteMade, subject: nil, name)
        return (text, name)
    }

    func inviteRows() throws -> [JSONValue] {
        try rows(
            "SELECT name, uses, made, expires FROM node_registration_invite WHERE expires > ? ORDER BY made, name",
            [now.milliseconds]
        ).map { row in
            [
                "name": .string(row["name"]), "uses": .integer(row["uses"]),
                "made": .string(Timestamp(milliseconds: row["made"]).description),
                "expires": .string(Timestamp(milliseconds: row["expires"]).description),
            ]
        }
    }

    /// - Returns: whether there was one of that name.
    func withdrawInvite(_ name: String) throws -> Bool {
        try run("DELETE FROM node_registration_invite WHERE name = ?", [name])
        return database.changesCount > 0
    }

    /// Lets somebody register who is not known here, and uses up his invite.
    /// - Throws: `ProtocolError` 1002.
    func admit(_ invite: String?, by policy: RegistrationPolicy) throws {
        switch policy {
        case .open: return
        case .closed:
            throw ProtocolError(
                .insufficientPermissions, "This node takes no registrations.", hint: "Ask its operator.")
        case .invite(let standing):
            if let invite, standing.contains(invite) { return }
            try run(
                "UPDATE node_registration_invite SET uses = uses - 1 WHERE hash = ? AND uses > 0 AND expires > ?",
                [Data(Self.hash(ofInvite: invite ?? "")), now.milliseconds])
            guard database.changesCount > 0 else {
                throw ProtocolError(
                    .insufficientPermissions, "Registration on this node needs a valid invite.",
                    hint: "Ask its operator for one.")
            }
        }
    }
}
