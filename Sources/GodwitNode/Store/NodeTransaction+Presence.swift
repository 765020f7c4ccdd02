import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Who is told of a user's presence, and notices that are never stored: they wait for another node at most until a newer
/// one takes their place (`Supersession`), in the class that only links with live sessions carry.
extension NodeTransaction {
    /// Who learns of a user: who shares a channel, and whom the user has written to; not whom the user has blocked, nor
    /// who has blocked the user. Of a node with somebody blocked nobody is told: it keeps no secrets from its users.
    func audience(of user: UserID) throws -> (local: Set<UserID>, nodes: Set<NodeID>) {
        let known = try rows(
            """
            SELECT DISTINCT o.user FROM node_member m JOIN node_member o ON o.channel = m.channel WHERE m.user = ?1
            UNION SELECT contact FROM node_contact WHERE user = ?1
            """, [user.text]
        ).map { try UserID($0["user"] as String) }
        let blocked = Set(
            try rows(
                """
                SELECT blocked AS user FROM node_block WHERE user = ?1
                UNION SELECT user FROM node_block WHERE blocked = ?1
                """, [user.text]
            ).map { try UserID($0["user"] as String) })
        let reached = Set(known).subtracting(blocked).subtracting([user])
        let nodes = Set(reached.map(\.node)).subtracting(blocked.map(\.node)).subtracting([context.id, user.node])
        return (reached.filter { $0.node == context.id }, nodes)
    }

    func showsStatus(_ user: UserID) throws -> Bool {
        try row("SELECT shows_status FROM node_user WHERE user = ?", [user.text])?["shows_status"] ?? false
    }

    /// Tells of a user of this node.
    func announce(_ notice: PresenceNotice) throws {
        guard try showsStatus(notice.userID) else { return }
        let (local, nodes) = try audience(of: notice.userID)
        aftermath.events.append(Aftermath.Event(SocketEvent("user_status", notice.data), to: local))
        for node in nodes.sorted() { try pass(notice.object, to: node, for: PresenceNotice.lifetime) }
    }

    /// A notice of another node's user.
    func accept(_ notice: PresenceNotice, from source: Party) throws {
        guard source == .node(notice.userID.node), notice.userID.node != context.id else {
            throw ProtocolError(.insufficientPermissions, "Presence comes from the user's home node.")
        }
        aftermath.events.append(
            Aftermath.Event(
                SocketEvent("user_status", notice.data), to: try audience(of: notice.userID).local))
    }

    /// Typing of a user here, or passed on by another node.
    func accept(_ notice: TypingNotice, from source: Party) throws {
        let user = notice.userID
        let isOwn = source.user == user
        switch notice.conversation {
        case .channel(let id):
            guard isOwn || source == .node(user.node) || source == .node(id.node) else { throw Self.notTheWriter }
            guard let channel = try channel(id), try members(of: channel).contains(where: { $0.user == user }) else {
                throw ProtocolError(
                    .channelNotFound, "The channel is not known on this node, or the user is not in it.")
            }
            try tell(of: notice, members: Set(try members(of: channel).map(\.user)), in: id, from: source)
        case .direct(let one, let other):
            guard isOwn || source == .node(user.node) else { throw Self.notTheWriter }
            let reader = one == user ? other : one
            if isOwn, try !showsStatus(user) || blocks(user, reader) { return }
            guard reader.node == context.id else {
                return try pass(notice.object, to: reader.node, for: TypingNotice.lifetime)
            }
            // Like a message, but whom it does not reach does not matter.
            guard let reception = try reception(of: reader, for: user),
                (try? reaches(reader, reception, from: user)) ?? false
            else { return }
            aftermath.events.append(
                Aftermath.Event(SocketEvent("typing", Self.data(of: notice, for: reader)), to: [reader]))
        }
    }

    private static let notTheWriter = ProtocolError(
        .insufficientPermissions, "A notice of typing comes from the writer, or the writer's node.")

    private static func data(of notice: TypingNotice, for reader: UserID) -> JSONObject {
        notice.data.setting("channel", .string("@" + notice.userID.text))
    }

    private func tell(of notice: TypingNotice, members: Set<UserID>, in id: ChannelID, from source: Party) throws {
        let user = notice.userID
        if source.user == user, try !showsStatus(user) { return }
        let reached = try members.filter {
            try $0 != user && $0.node == context.id && !blocks(user, $0) && !blocks($0, user)
        }
        aftermath.events.append(Aftermath.Event(SocketEvent("typing", notice.data), to: reached))
        let nodes: Set<NodeID> = id.node == context.id ? Set(members.map(\.node)) : source.user == user ? [id.node] : []
        for node in nodes.subtracting([context.id, user.node]).sorted() where .node(node) != source {
            try pass(notice.object, to: node, for: TypingNotice.lifetime)
        }
    }

    /// Queues a notice for another node, if that is a peer; there is nobody to whom a refusal would be of use.
    private func pass(_ object: JSONObject, to node: NodeID, for lifetime: Int64) throws {
        guard (try? requirePeer(node)) != nil else { return }
        let body = object.canonicalBytes()
        do {
            try enqueue(
                NewItem(
                    id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: .node(node),
                    priority: .bulk, created: now, lifetime: lifetime))
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {}
    }

    // MARK: Read markers

    /// Tells a user's other devices how far the user has read; of what waits for one only the newest stays.
    func accept(_ marker: ReadMarker, from source: Party) throws {
        guard source == .device(marker.userID, marker.device) else {
            throw ProtocolError(.insufficientPermissions, "A device marks for its own user only.")
        }
        let key = "read/" + marker.conversation.text
        let body = marker.object.canonicalBytes()
        let id = ItemID(SHA256Digest.of(body))
        for device in try devices(of: marker.userID) where device != marker.device {
            let party = Party.device(marker.userID, device)
            if let before = try row("SELECT item FROM node_latest WHERE party = ? AND key = ?", [party.text, key]),
                let waiting = try spool.waitingItem(ItemID([UInt8](before["item"] as Data)), for: party)
            {
                try spool.release([waiting.row])
            }
            try run(
                """
                INSERT INTO node_latest (party, key, item) VALUES (?, ?, ?)
                ON CONFLICT (party, key) DO UPDATE SET item = excluded.item
                """, [party.text, key, Data(id.bytes)])
            try enqueue(
                NewItem(
                    id: id, kind: .object, body: body, destination: party, priority: .control, created: now,
                    lifetime: Message.defaultLifetime))
        }
    }
}
