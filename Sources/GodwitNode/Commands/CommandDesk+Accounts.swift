import FoundationEssentials
import GRDB
import GodwitContact
import GodwitCrypto
import GodwitProtocol

/// Profiles and what users ask of their data (docs/protocol.md §9.7).
extension CommandDesk {
    /// `get_user`: a user's profile, as far as the user's privacy shows it; of a user of another node what that one has
    /// told, or that it was asked.
    ///
    /// - Throws: `ProtocolError` 2003 for an unknown user and in the same words for one who has blocked the asker.
    func getUser(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let (user, asker) = (try data.userID("user_id"), session.user)
        guard user.node == core.context.id else { return try await getRemoteUser(user, session) }
        let (profile, seen) = try await core.read { transaction in
            (try transaction.profile(of: user, for: asker), try transaction.presence(of: user, for: asker))
        }
        var status: JSONObject = ["status": "offline", "last_seen": .null]
        if let seen {
            if let lastSeen = seen.lastSeen { status["last_seen"] = .string(lastSeen.description) }
            if await presence.isConnected(user) {
                status["status"] = "online"
                if let notice = await presence.notice(of: user) { status = notice.data }
            }
        }
        var answer = profile
        for (key, value) in status.members { answer[key] = value }
        return answer
    }

    private func getRemoteUser(_ user: UserID, _ session: Session) async throws -> JSONObject {
        let (gate, asker) = (core.gate, session.user)
        let device = session.device.map { Party.device(asker, $0) }
        let answer = try await core.write { transaction in
            try transaction.remoteProfile(of: user, for: asker, device) { try gate.claim(by: asker) }
        }
        switch answer {
        case .known(let profile): return profile
        case .pending: return ["user_id": .string(user.text), "pending": true]
        case .absent:
            throw ProtocolError(
                .userNotFound, "There is no such user, or the user cannot be found.", hint: "Check the user id.",
                details: ["user_id": .string(user.text)])
        }
    }

    /// `update_identity`: a user's identity file in place of the one before.
    ///
    /// - Throws: `ProtocolError` 1000 for a bad signature or another key, 1002 for another user's file.
    func updateIdentity(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let file = try IdentityFile(data.value("identity_file"))
        guard file.userID == session.user else {
            throw ProtocolError(.insufficientPermissions, "The identity file is another user's.")
        }
        try KeyChecks.verify(file)
        try await core.write { transaction in
            guard let known = try transaction.user(file.userID), known.isLocal else {
                throw ProtocolError(.userNotFound, "The user is not registered.")
            }
            guard known.publicKey == file.publicKey else {
                throw ProtocolError(
                    .invalidCredentials, "The identity file has another key.", hint: "A key stays with its user.")
            }
            try transaction.apply(file)
        }
        return [:]
    }

    /// `move_user`: the record that the user has moved to another home node; the same as `submit` with it.
    ///
    /// - Throws: `ProtocolError` 1002 for another user's; as `NodeTransaction.accept`.
    func moveUser(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let move = try UserMove(data.value("record"))
        guard move.userID == session.user, try data.optionalString("user_id") ?? move.userID.text == move.userID.text
        else {
            throw ProtocolError(.insufficientPermissions, "The record is about another user.")
        }
        return try await submit(.userMoved(move), session)
    }

    /// `export_data`: all that the node has of the session's user, page by page.
    func exportData(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        try await Self.export(session.user, data, from: core)
    }

    static func export(_ user: UserID, _ data: ObjectReader, from core: NodeCore) async throws -> JSONObject {
        let cursor = try data.optionalInteger("cursor", in: 0...JSONValue.integerMax)
        let page = try await core.read { try $0.export(user, after: cursor) }
        return ["lines": .array(page.lines), "next_cursor": page.next.map { .integer($0) } ?? .null]
    }
}

extension NodeTransaction {
    /// What a user's identity file says to others.
    func profile(of user: UserID, for asker: UserID) throws -> JSONObject {
        guard
            let row = try row("SELECT identity_file FROM node_user WHERE user = ? AND is_local", [user.text]),
            let stored: Data = row["identity_file"], try !blocks(user, asker)
        else {
            throw ProtocolError(
                .userNotFound, "There is no such user on this node.", hint: "Check the user id.",
                details: ["user_id": .string(user.text)])
        }
        let identity = try IdentityFile(parsing: [UInt8](stored)).identity
        var profile: JSONObject = ["user_id": .string(user.text)]
        for key in UserLookupResult.profileMembers {
            if let value = identity[key] { profile[key] = value }
        }
        if let move = try userMove(of: user) { profile["moved"] = .object(move.object) }
        return profile
    }

    struct Seen {
        var lastSeen: Timestamp?
    }

    /// When a user was here, for whom the user lets know; nil for all others.
    func presence(of user: UserID, for asker: UserID) throws -> Seen? {
        guard try showsStatus(user), try user == asker || isContact(asker, of: user), try !blocks(user, asker) else {
            return nil
        }
        let last: Int64? = try row("SELECT max(last_seen) AS at FROM node_device WHERE user = ?", [user.text])?["at"]
        return Seen(lastSeen: last.map { Timestamp(milliseconds: $0) })
    }

    /// Notes when a user was here last, if the user lets others know.
    func noteSeen(_ user: UserID, _ device: DeviceID?) throws {
        guard let device, try showsStatus(user) else { return }
        try run(
            "UPDATE node_device SET last_seen = ? WHERE user = ? AND device = ?",
            [now.milliseconds, user.text, device.text])
    }
}
