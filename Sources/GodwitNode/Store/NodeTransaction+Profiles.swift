import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// What users of other nodes show (gap G-59): asked of their home nodes for one asker each, for a block hides a user from
/// one and not from another; kept for a day, and answered from there.
extension NodeTransaction {
    /// Answers that are kept; the oldest goes first.
    static let profilesMax = 4_096
    /// Milliseconds of uptime for which an answer serves without another question; one that found nobody.
    static let profileFresh: Int64 = 86_400_000
    static let absenceFresh: Int64 = 3_600_000
    /// Milliseconds of uptime until a question without an answer is asked again.
    static let profilePatience: Int64 = 600_000

    /// What is known now.
    enum RemoteProfile {
        /// What `get_user` answers.
        case known(JSONObject)
        case absent
        /// The home node was asked.
        case pending
    }

    /// - Parameters:
    ///   - device: to whom a refusal of the question goes; nil for a session without one, which can only read.
    ///   - admit: throws where the asker has asked too often; called before a question is sent.
    /// - Throws: `ProtocolError` 1002, 2003, 3002, where nothing is known and it cannot be asked.
    func remoteProfile(
        of user: UserID, for asker: UserID, _ device: Party?, admit: () throws -> Void
    ) throws -> RemoteProfile {
        let known = try row("SELECT * FROM node_profile WHERE user = ? AND asker = ?", [user.text, asker.text])
        let news = try known.map { try Self.news($0, of: user) } ?? .pending
        guard try isDue(known, news) else { return news }
        do {
            try inSavepoint {
                guard let device else {
                    throw ProtocolError(
                        .insufficientPermissions, "The session is for no device.",
                        hint: "Log in with the member device.")
                }
                try self.requireNode(of: user)
                try admit()
                try self.ask(for: user, in: asker, device)
            }
        } catch let error as ProtocolError where !error.isOfStore {
            // What was known before is better than nothing.
            guard case .known = news else { throw error }
        }
        return news
    }

    /// Nobody is found at a node to which there is no way, however often somebody asks.
    private func requireNode(of user: UserID) throws {
        do { try requirePeer(user.node) } catch let error as ProtocolError where error.code == .nodeUnreachable {
            throw ProtocolError(
                .userNotFound, "There is no such user, or the user cannot be found.", hint: error.hint,
                details: ["user_id": .string(user.text)])
        }
    }

    private static func news(_ row: Row, of user: UserID) throws -> RemoteProfile {
        guard let asOf: Int64 = row["as_of"] else { return .pending }
        guard let stored: Data = row["profile"] else { return .absent }
        let profile = try JSONObject.parse([UInt8](stored))
        return .known(Self.shown(profile, asOf: Timestamp(milliseconds: asOf)))
    }

    /// Who is elsewhere is told of by `user_status`, as far as the user lets know.
    private static func shown(_ profile: JSONObject, asOf: Timestamp) -> JSONObject {
        profile.setting("status", "offline").setting("last_seen", .null)
            .setting("as_of", .string(asOf.description))
    }

    private func isDue(_ row: Row?, _ news: RemoteProfile) throws -> Bool {
        guard let row else { return true }
        let age = try spool.uptime() - (row["at"] as Int64)
        guard row["pending"] as Bool == false else { return age >= Self.profilePatience }
        return switch news {
        case .known: age >= Self.profileFresh
        case .absent: age >= Self.absenceFresh
        case .pending: true
        }
    }

    private func ask(for user: UserID, in asker: UserID, _ device: Party) throws {
        let lookup = UserLookup(
            userID: user, requestingNode: context.id, requester: device, at: now, isProfile: true)
        try enqueueAnew(lookup.object, to: .node(user.node))
        try run(
            """
            INSERT INTO node_profile (user, asker, item, at, pending) VALUES (?, ?, ?, ?, 1)
            ON CONFLICT (user, asker) DO UPDATE SET item = excluded.item, at = excluded.at, pending = 1
            """,
            [user.text, asker.text, Data(SHA256Digest.of(lookup.object.canonicalBytes())), try spool.uptime()])
        try run(
            """
            DELETE FROM node_profile WHERE (user, asker) IN
              (SELECT user, asker FROM node_profile ORDER BY at DESC, user, asker LIMIT -1 OFFSET ?)
            """, [Self.profilesMax])
    }

    // MARK: Answers

    /// The answer to a question of another node's user, about one of this node.
    func answerProfile(_ lookup: UserLookup, for asker: UserID) throws -> UserLookupResult {
        var result = UserLookupResult(
            userID: lookup.userID, requester: lookup.requester, asOf: now, found: nil)
        result.isProfile = true
        guard var profile = try? profile(of: lookup.userID, for: asker) else { return result }
        // On a thin link a picture would cost more than all that is said.
        for member in ["avatar", "metadata", "bio", "pronouns", "display_name"]
        where profile.canonicalBytes().count > UserLookupResult.profileMax {
            profile = profile.omitting([member])
        }
        result.profile = profile
        return result
    }

    /// Keeps an answer that was asked for, and tells the asker who is connected.
    /// - Throws: `ProtocolError` 3001 for another key than the user is known by.
    func takeProfile(_ result: UserLookupResult) throws {
        guard let asker = result.requester.user else { return }
        if let key = result.profile?["public_key"]?.string, let known = try user(result.userID)?.publicKey,
            key != PublicKeyText.text(ed25519: known)
        {
            throw ProtocolError(.federationError, "The profile has another key than the user is known by.")
        }
        try run(
            """
            UPDATE node_profile SET profile = ?, as_of = ?, at = ?, pending = 0
            WHERE user = ? AND asker = ? AND pending
            """,
            [
                result.profile.map { Data($0.canonicalBytes()) }, result.asOf.milliseconds, try spool.uptime(),
                result.userID.text, asker.text,
            ])
        guard database.changesCount > 0 else { return }
        let data =
            result.profile.map { Self.shown($0, asOf: result.asOf).setting("found", true) }
            ?? ["user_id": .string(result.userID.text), "found": false]
        aftermath.events.append(Aftermath.Event(SocketEvent("user_profile", data), to: [asker]))
    }

    /// A question of this node's own that was refused: the device has not asked it.
    /// - Returns: false for anything else.
    func endProfileQuestion(_ refusal: Refusal) throws -> Bool {
        guard let row = try row("SELECT user, asker FROM node_profile WHERE item = ? AND pending", [Data(refusal.item)])
        else { return false }
        let names: StatementArguments = [row["user"] as String, row["asker"] as String]
        try run("UPDATE node_profile SET pending = 0 WHERE user = ? AND asker = ?", names)
        return true
    }

    func forgetProfiles(of user: UserID) throws {
        try run("DELETE FROM node_profile WHERE user = ? OR asker = ?", [user.text, user.text])
    }
}
