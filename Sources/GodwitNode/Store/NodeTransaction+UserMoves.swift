import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Users who move to another home node (gap G-34): whoever has a user's device list gets the record, now or with the list.
/// What is written to the old id is delivered here for a set time.
extension NodeTransaction {
    /// Milliseconds by which a record may be ahead of this node's clock. Nothing that is signed later could replace one
    /// of a far year.
    static let moveAheadMax: Int64 = 86_400_000

    /// `user_moved`: by a device of the user, or by the home node of a user who is elsewhere.
    ///
    /// - Throws: `ProtocolError` 1002 from anybody else, 1000 for another key or a bad signature, 2000 for a time that is
    ///   too far ahead, or not after that of the record that stands.
    func accept(_ move: UserMove, from source: Party) throws {
        let isHome = move.userID.node == context.id
        guard isHome ? source.user == move.userID : source == .node(move.userID.node) else {
            throw ProtocolError(
                .insufficientPermissions, "The move of a user comes from the user's device, or from the home node.")
        }
        guard let known = try user(move.userID) else { throw AuthorUnknown(user: move.userID) }
        guard known.publicKey == move.publicKey else {
            throw ProtocolError(
                .invalidCredentials, "The record names another key than the user is known by.",
                hint: "A user moves with the identity key.", details: ["member": "public_key"])
        }
        try KeyChecks.verify(move.object, signedBy: known.publicKey, purpose: .userMoved)
        if isHome, move.at.milliseconds > now.milliseconds + Self.moveAheadMax {
            throw ProtocolError.malformed(
                "The record is of a time to come.", member: "at", hint: "Check the clock of the device.")
        }
        if let standing = try userMove(of: move.userID), standing.at >= move.at {
            guard isHome, standing.object != move.object else { return }
            throw ProtocolError.malformed(
                "The user has moved with a record that is not older.", member: "at",
                hint: "Sign another one with a later time.")
        }
        try run(
            """
            INSERT INTO node_user_move (user, record, at, ends) VALUES (?, ?, ?, ?)
            ON CONFLICT (user) DO UPDATE SET record = excluded.record, at = excluded.at
            """,
            [
                move.userID.text, Data(move.object.canonicalBytes()), move.at.milliseconds,
                try spool.uptime() + context.forwardsMoved.milliseconds,
            ])
        try spread(move, from: source)
    }

    /// To the user's other devices here, and to whoever has the user's list.
    private func spread(_ move: UserMove, from source: Party) throws {
        if move.userID.node == context.id {
            for device in try devices(of: move.userID) where .device(move.userID, device) != source {
                try enqueueAnew(move.object, to: .device(move.userID, device))
            }
        }
        for row in try rows("SELECT party FROM node_introduction WHERE user = ? ORDER BY party", [move.userID.text]) {
            let party = try Party(row["party"] as String)
            if case .node(let node) = party, (try? requirePeer(node)) == nil { continue }
            if party != source { try tellMove(of: move.userID, to: party) }
        }
    }

    /// The record goes wherever the user's list has gone, once.
    func tellMove(of user: UserID, to party: Party) throws {
        guard let move = try userMove(of: user) else { return }
        try run(
            "UPDATE node_introduction SET moved = ?1 WHERE party = ?2 AND user = ?3 AND moved < ?1",
            [move.at.milliseconds, party.text, user.text])
        guard database.changesCount > 0 else { return }
        try enqueueAnew(move.object, to: party)
    }

    /// A record whose lifetime ended in a queue goes again: nothing of the user may come after it that would bring it. Who
    /// has not got the user's list either gets both together, when something of the user goes there.
    func followUp(lost move: UserMove, to party: Party) throws {
        guard try userMove(of: move.userID)?.object == move.object else { return }
        if case .device(move.userID, let device) = party {
            guard try signingKey(of: move.userID, device) != nil else { return }
            try enqueueAnew(move.object, to: party)
            return
        }
        if case .node(let node) = party, (try? requirePeer(node)) == nil { return }
        try run("UPDATE node_introduction SET moved = 0 WHERE party = ? AND user = ?", [party.text, move.userID.text])
        try tellMove(of: move.userID, to: party)
    }

    /// The record that stands.
    func userMove(of user: UserID) throws -> UserMove? {
        let statement = try spool.prepared("SELECT record FROM node_user_move WHERE user = ?")
        statement.bind(1, user.text)
        return try statement.first { try UserMove(JSONObject.parse($0.bytes(0))) }
    }

    /// What is written to a user who has moved is delivered to the old devices for a set time of uptime, and no longer.
    ///
    /// - Throws: `ProtocolError` 2003 with the new id in `details.moved_to`.
    func refuseMoved(_ user: UserID) throws {
        guard let move = try userMove(of: user) else { return }
        throw ProtocolError(
            .userNotFound, "The user has moved to another node.", hint: "Write to the new id.",
            details: ["user_id": .string(user.text), "moved_to": .string(move.to.text)])
    }
}
