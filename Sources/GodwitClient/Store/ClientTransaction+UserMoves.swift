import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Users who move to another home node (gap G-34): who knows them follows by itself, once the new id has shown the key that
/// is pinned for the old one.
extension ClientTransaction {
    /// Milliseconds of use until the new id is looked up again.
    static let movePause: Int64 = 86_400_000
    /// Until a later record of the same user brings a lookup: who signs many of them costs this device's link no more.
    static let recordPause: Int64 = 3_600_000

    /// A user says that he is called otherwise from now on.
    ///
    /// - Throws: `Rejected` `.keyChanged` for a record of another key than the pinned one, `ProtocolError` 1000 for a bad
    ///   signature; `Waiting` where the user is not known yet.
    func take(_ move: UserMove) throws {
        guard let key = try pinnedKey(of: move.userID) else { throw Waiting(.user(move.userID)) }
        guard key == move.publicKey else {
            throw Rejected(
                .keyChanged, "A user is said to have moved, by another identity key than the pinned one.",
                hint: "Nothing is followed. Ask the user over another way.")
        }
        try KeyChecks.verify(move.object, signedBy: key, purpose: .userMoved)
        guard let asked = try keep(move) else { return }
        guard move.userID != context.user else { return try noteMoved(move) }
        if try pinnedKey(of: move.to) != nil { return try followMoves(to: move.to) }
        // Of somebody who is blocked nothing is wanted.
        guard try age() - asked >= Self.recordPause, try !isBlocked(move.userID) else { return }
        try run("UPDATE client_user_move SET asked = ? WHERE user = ?", [try age(), move.userID.text])
        try lookUp(move.to)
    }

    /// A direct message of the new id that brings the record itself: the old home node may be gone.
    func noteMove(_ message: Message, _ content: JSONObject) throws {
        guard case .direct = message.address, let object = content["moved"]?.object, let move = try? UserMove(object),
            move.to == message.author, try pinnedKey(of: move.userID) != nil
        else { return }
        // The message is read, whatever becomes of the record.
        do { try inSavepoint { try self.take(move) } } catch let rejected as Rejected {
            try warn(rejected, about: move.userID.text)
        } catch let error as ProtocolError where !error.isOfStore {
            try warn(Rejected(error), about: move.userID.text)
        }
    }

    /// Of two records the later holds; what comes again, or late, changes nothing.
    /// - Returns: the device's age when a new id of the user was looked up last; nil where the record changes nothing.
    private func keep(_ move: UserMove) throws -> Int64? {
        let known = try row("SELECT at, asked FROM client_user_move WHERE user = ?", [move.userID.text])
        guard move.at.milliseconds > known?["at"] as Int64? ?? .min else { return nil }
        let asked = try known?["asked"] as Int64? ?? age() - Self.recordPause
        try run(
            """
            INSERT OR REPLACE INTO client_user_move (user, successor, at, record, state, asked)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                move.userID.text, move.to.text, move.at.milliseconds, Data(move.object.canonicalBytes()),
                move.userID == context.user ? "followed" : "noted", asked,
            ])
        return asked
    }

    /// The keys of a user have come, to whom others may say that they have moved.
    func followMoves(to successor: UserID) throws {
        guard let key = try pinnedKey(of: successor) else { return }
        for row in try rows(
            "SELECT record FROM client_user_move WHERE successor = ? AND state = 'noted' ORDER BY user",
            [successor.text])
        {
            let move = try Self.stored { try UserMove(JSONObject.parse(row.blob("record"))) }
            let isSame = move.publicKey == key
            try run(
                "UPDATE client_user_move SET state = ? WHERE user = ?",
                [isSame ? "followed" : "refused", move.userID.text])
            guard isSame else {
                try warn(
                    Rejected(
                        .keyChanged, "A user is said to have moved to \(successor), who has another identity key.",
                        hint: "Messages go to the old id still. Ask the user over another way."),
                    about: move.userID.text)
                continue
            }
            try carryOver(move)
            if try !isBlocked(move.userID) { try noteMoved(move) }
        }
    }

    private func noteMoved(_ move: UserMove) throws {
        try warn(
            Rejected(
                .moved,
                move.userID == context.user
                    ? "This user has moved to \(move.to)." : "The user has moved to \(move.to), with the same key.",
                hint: move.userID == context.user
                    ? "Run `godwit identity move` here too, and this device follows."
                    : "What you write goes there from now on."),
            about: move.userID.text)
    }

    /// What this user thinks of somebody holds for the new id: names, a block, a compared key. What waits goes there.
    private func carryOver(_ move: UserMove) throws {
        let names: StatementArguments = [move.to.text, move.userID.text]
        try run("UPDATE client_alias SET target = ? WHERE kind = 'user' AND target = ?", names)
        try run(
            """
            INSERT OR IGNORE INTO client_verified (user, public_key, at)
            SELECT ?1, public_key, at FROM client_verified WHERE user = ?2 AND public_key = ?3
            """, [move.to.text, move.userID.text, Data(move.publicKey)])
        try run("INSERT OR IGNORE INTO client_block (user) SELECT ?1 FROM client_block WHERE user = ?2", names)
        guard try !isBlocked(move.userID) else { return }
        let (old, new) = (MessageTarget.user(move.userID), MessageTarget.user(move.to))
        try run(
            """
            UPDATE client_outbox SET target = ?, conversation = ?
            WHERE state = 'waiting_keys' AND target = ? AND relation IS NULL
            """, [new.description, new.conversation(of: context.user).text, old.description])
    }

    /// The id of a user now. Each record that is followed is later than the one before, so nobody is led in circles.
    func current(_ user: UserID) throws -> UserID {
        var (user, after) = (user, Int64.min)
        for _ in 0..<UserMove.hopsMax {
            guard
                let row = try row(
                    "SELECT successor, at, state, asked FROM client_user_move WHERE user = ? AND at > ?",
                    [user.text, after])
            else { return user }
            let successor = try Self.stored { try UserID(row["successor"] as String) }
            guard row["state"] == "followed" else {
                if row["state"] == "noted" { try askAgain(successor, for: user, since: row["asked"]) }
                return user
            }
            (user, after) = (successor, row["at"])
        }
        return user
    }

    /// The new home node may have been out of reach.
    private func askAgain(_ successor: UserID, for user: UserID, since asked: Int64) throws {
        guard try age() - asked >= Self.movePause, try !isBlocked(user) else { return }
        try run("UPDATE client_user_move SET asked = ? WHERE user = ?", [try age(), user.text])
        try lookUp(successor)
    }

    func pinnedKey(of user: UserID) throws -> [UInt8]? {
        try row("SELECT public_key FROM client_contact WHERE user = ?", [user.text])?.blob("public_key")
    }

    // MARK: This user's own

    /// The record of this user, or of another one, that holds.
    func userMove(of user: UserID) throws -> UserMove? {
        try row("SELECT record FROM client_user_move WHERE user = ?", [user.text]).map { row in
            try Self.stored { try UserMove(JSONObject.parse(row.blob("record"))) }
        }
    }

    /// Signs that this user has moved, and queues the record for the home node so far.
    func moveSelf(to new: UserID, signedBy key: SigningKey) throws -> UserMove {
        guard key.publicKey.bytes == context.identityFile.publicKey else {
            throw ProtocolError(.invalidCredentials, "The key is another user's.")
        }
        let earliest = try userMove(of: context.user)?.at.adding(milliseconds: 1) ?? now
        let unsigned = UserMove.unsigned(
            context.user, to: new, publicKey: key.publicKey.bytes, at: max(now, earliest))
        let move = try UserMove(key.signed(unsigned, purpose: .userMoved))
        _ = try keep(move)
        try enqueue(move.object)
        return move
    }
}
