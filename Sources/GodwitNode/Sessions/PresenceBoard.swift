import GodwitProtocol

/// Who has a socket open, and what they say of themselves. Forgotten when the node stops.
actor PresenceBoard {
    private struct Entry {
        var sockets: [ObjectIdentifier: ClientSocket] = [:]
        var notice: PresenceNotice?
    }
    private var users: [UserID: Entry] = [:]

    /// - Returns: true for the user's first socket.
    func joined(_ user: UserID, _ socket: ClientSocket) -> Bool {
        let isFirst = users[user] == nil
        users[user, default: Entry()].sockets[ObjectIdentifier(socket)] = socket
        return isFirst
    }

    /// - Returns: true for the user's last socket.
    func left(_ user: UserID, _ socket: ClientSocket) -> Bool {
        users[user]?.sockets[ObjectIdentifier(socket)] = nil
        guard users[user]?.sockets.isEmpty ?? false else { return false }
        users[user] = nil
        return true
    }

    /// Ends all sockets of a user whose account has ended.
    func end(_ user: UserID) async {
        guard let sockets = users[user]?.sockets.values else { return }
        for socket in Array(sockets) { await socket.end() }
    }

    /// Ends the sockets of a device that was taken off its user's list.
    func revoke(_ user: UserID, _ device: DeviceID) async {
        guard let sockets = users[user]?.sockets.values else { return }
        for socket in Array(sockets) { await socket.revoke(device) }
    }

    /// Ends the sockets of sessions that were ended.
    func end(_ user: UserID, sessions: Set<String>) async {
        guard let sockets = users[user]?.sockets.values else { return }
        for socket in Array(sockets) { await socket.end(sessions) }
    }

    /// Sends everybody away for a while.
    func pause(_ error: ProtocolError) async {
        for socket in users.values.flatMap({ $0.sockets.values }) { await socket.pause(error) }
    }

    func isConnected(_ user: UserID) -> Bool { users[user] != nil }

    /// Number of open sockets with a session.
    var count: Int { users.values.reduce(0) { $0 + $1.sockets.count } }

    /// Notes what a user says of itself.
    func note(_ notice: PresenceNotice) {
        guard users[notice.userID] != nil else { return }
        users[notice.userID]?.notice = notice
    }

    /// What a connected user has said last; nil for one who has said nothing since.
    func notice(of user: UserID) -> PresenceNotice? { users[user]?.notice }

    /// Pushes an event to the sockets of users. A full outbox drops it: it is no news a moment later.
    func push(_ event: SocketEvent, to audience: Set<UserID>) async {
        let sockets = audience.flatMap { users[$0].map { Array($0.sockets.values) } ?? [] }
        for socket in sockets { await socket.push(event) }
    }
}
