import GodwitProtocol

/// Who has a socket open, and what they say of themselves. Forgotten when the node stops.
actor PresenceBoard {
    private struct Entry {
        var sockets: [ObjectIdentifier: ClientSocket] = [:]
        var status = PresenceStatus.online
        var message: String?
        var lastSeen: Timestamp?
    }
    private var users: [UserID: Entry] = [:]

    func joined(_ user: UserID, _ socket: ClientSocket) {
        users[user, default: Entry()].sockets[ObjectIdentifier(socket)] = socket
    }

    func left(_ user: UserID, _ socket: ClientSocket) {
        users[user]?.sockets[ObjectIdentifier(socket)] = nil
        if users[user]?.sockets.isEmpty ?? false { users[user] = nil }
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

    /// Notes a status and tells everybody who is connected (WS-06, WS-12). It never leaves this node.
    func update(_ user: UserID, _ status: PresenceStatus, message: String?, at now: Timestamp) async {
        users[user]?.status = status
        users[user]?.message = message
        users[user]?.lastSeen = now
        var data: JSONObject = [
            "user_id": .string(user.text), "status": .string(status.rawValue), "last_seen": .string(now.description),
        ]
        if let message { data["message"] = .string(message) }
        let event = SocketEvent("user_status", data)
        for entry in users.values {
            for socket in entry.sockets.values { await socket.push(event) }
        }
    }
}
