import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Accounts that end (GDPR-01, G-87): what the node has of a user goes, and nodes that may have something are told.
///
/// What stays: a hash of the name, so that nobody takes it up again; holes where messages were; signed changes of
/// channels, which name the user's devices; what others wrote to the user.
extension NodeTransaction {
    /// Accounts that are ended in one transaction.
    private static let accountsPerCall = 16
    /// Milliseconds after which an account is tried again.
    private static let accountPause: Int64 = 600_000

    /// - Throws: `ProtocolError` 2003 for one who is not at home here.
    func eraseAccount(_ user: UserID) throws {
        guard let known = try self.user(user), known.isLocal else {
            throw ProtocolError(
                .userNotFound, "There is no such user on this node.", details: ["user_id": .string(user.text)])
        }
        for node in try nodesThatKnow(user) { try tell(node, ofErased: user) }
        try handOver(of: user)
        try takeOutOfChannels(devices(of: user), of: user)
        for device in try devices(of: user) {
            let party = Party.device(user, device)
            try spool.release(spool.waitingRows(ownedBy: party))
            try run("DELETE FROM node_device WHERE user = ? AND device = ?", [user.text, device.text])
            try run("DELETE FROM node_latest WHERE party = ?", [party.text])
            try run("DELETE FROM node_held WHERE source = ?", [party.text])
            try revoke(device, of: user)
            // All sockets of the user end together, the one that asked for it after its answer.
            aftermath.revoked.remove(party)
        }
        try run("DELETE FROM node_session WHERE user = ?", [user.text])
        try forget(user)
        try run("INSERT OR IGNORE INTO node_erased (name) VALUES (?)", [Self.erasedName(user)])
        try audit(.accountErased, user)
        aftermath.ended.insert(user)
        aftermath.keysChanged = true
    }

    /// The home node of a user says that the account was erased.
    func accept(_ erasure: Erasure, from source: Party) throws {
        guard source == .node(erasure.userID.node), erasure.userID.node != context.id,
            let row = try row("SELECT public_key FROM node_peer WHERE node = ?", [erasure.userID.node.text])
        else {
            throw ProtocolError(.insufficientPermissions, "An erasure comes from the user's home node.")
        }
        try KeyChecks.verify(erasure.object, signedBy: [UInt8](row["public_key"] as Data), purpose: .erasure)
        try handOver(of: erasure.userID)
        try takeOutOfChannels(devices(of: erasure.userID), of: erasure.userID)
        try forget(erasure.userID)
    }

    /// Ends temporary accounts whose time is over, by uptime as everything else.
    /// - Returns: how many; if many, there may be more.
    func expireAccounts() throws -> Int {
        let ended = try rows(
            "SELECT user FROM node_user WHERE ends <= ? ORDER BY ends LIMIT ?",
            [try spool.uptime(), Self.accountsPerCall])
        for row in ended {
            let user = try UserID(row["user"] as String)
            do { try inSavepoint { try eraseAccount(user) } } catch let error as ProtocolError where !error.isOfStore {
                // One that cannot be ended now, because a queue is full, keeps out no other.
                try run("UPDATE node_user SET ends = ends + ? WHERE user = ?", [Self.accountPause, user.text])
            }
        }
        return ended.count
    }

    private func forget(_ user: UserID) throws {
        try run("DELETE FROM node_message WHERE author = ? AND conversation LIKE '@%'", [user.text])
        try run(
            """
            UPDATE node_message SET body = NULL, period = NULL, hole = 'erased', author = '' WHERE author = ?
            """, [user.text])
        try run("UPDATE node_message SET deleted_by = NULL WHERE deleted_by = ?", [user.text])
        for table in [
            "node_contact", "node_taken_back", "node_introduction", "node_role", "node_invited", "node_departure",
            "node_user_move", "node_user",
        ] {
            try run("DELETE FROM \(table) WHERE user = ?", [user.text])
        }
        try run("DELETE FROM node_moderated WHERE author = ?", [user.text])
        try forgetProfiles(of: user)
        try run("DELETE FROM node_contact WHERE contact = ?", [user.text])
        try run("DELETE FROM node_block WHERE blocked = ?", [user.text])
        aftermath.erased = true
    }

    /// Nodes of whoever shares a channel with a user or has exchanged direct messages, and of the channels.
    private func nodesThatKnow(_ user: UserID) throws -> [NodeID] {
        let users = try rows(
            """
            SELECT DISTINCT o.user FROM node_member m JOIN node_member o ON o.channel = m.channel WHERE m.user = ?1
            UNION SELECT contact FROM node_contact WHERE user = ?1 UNION SELECT user FROM node_contact WHERE contact = ?1
            """, [user.text]
        ).map { try UserID($0["user"] as String).node }
        let channels = try rows(
            """
            SELECT DISTINCT c.node FROM node_member m JOIN node_channel c ON c.channel = m.channel WHERE m.user = ?
            """, [user.text]
        ).map { try NodeID($0["node"] as String) }
        return Set(users + channels).subtracting([context.id]).sorted()
    }

    private func tell(_ node: NodeID, ofErased user: UserID) throws {
        // One that is no peer any more cannot be told.
        guard (try? requirePeer(node)) != nil else { return }
        let object = context.signingKey.signed(Erasure.unsigned(user, at: now), purpose: .erasure)
        let body = object.canonicalBytes()
        try enqueue(
            NewItem(
                id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: .node(node),
                priority: .revocation, created: now, lifetime: Message.defaultLifetime))
    }
}
