import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// All that the node has of a user, line by line (GDPR-01): bodies of messages as they are, sealed for their readers.
extension NodeTransaction {
    /// Messages in one page; their bytes are limited as those of history.
    private static let exportedMax = 200
    /// Cursors from here on are places among held messages; arrival numbers stay far below.
    private static let heldCursor: Int64 = 1 << 52

    struct ExportPage {
        var lines: [JSONValue]
        /// Where the next page begins; nil at the end.
        var next: Int64?
    }

    /// - Parameter cursor: nil for the first page, which has all but messages.
    /// - Throws: `ProtocolError` 2003 for one who is not at home here.
    func export(_ user: UserID, after cursor: Int64?) throws -> ExportPage {
        guard let row = try row("SELECT * FROM node_user WHERE user = ? AND is_local", [user.text]) else {
            throw ProtocolError(
                .userNotFound, "There is no such user on this node.", details: ["user_id": .string(user.text)])
        }
        guard let cursor else {
            return ExportPage(
                lines: [try accountLine(user, row)] + (try deviceLines(user)) + (try relationLines(user)), next: 0)
        }
        guard cursor < Self.heldCursor else { return try heldPage(user, after: cursor - Self.heldCursor) }
        let page = try messagePage(user, after: cursor)
        return page.next == nil ? try heldPage(user, after: 0) : page
    }

    /// What of the user waits for moderators.
    private func heldPage(_ user: UserID, after cursor: Int64) throws -> ExportPage {
        var page = ExportPage(lines: [])
        var bytes = 0
        for row in try rows(
            """
            SELECT m.*, c.name, c.node FROM node_moderated m JOIN node_channel c ON c.channel = m.channel
            WHERE m.author = ? AND m.held > ? ORDER BY m.held LIMIT ?
            """, [user.text, cursor, Self.exportedMax])
        {
            let (held, channel) = (try HeldMessage(row), try ChannelID(row))
            bytes += held.body.count + 256
            guard page.lines.isEmpty || bytes <= HistoryQuestion.bytesMax else { break }
            page.lines.append([
                "kind": "held_message", "channel": .string(channel.name.text),
                "channel_node": .string(channel.node.text), "received_at": Self.time(row["received"]),
                "message": .object(try JSONObject.parse(held.body)),
            ])
            page.next = Self.heldCursor + held.row
        }
        return page
    }

    private static func time(_ milliseconds: Int64?) -> JSONValue {
        milliseconds.map { .string(Timestamp(milliseconds: $0).description) } ?? .null
    }

    private func accountLine(_ user: UserID, _ row: Row) throws -> JSONValue {
        let limits = JSONLimits(bytes: IdentityFile.bytesMax)
        func object(_ column: String) throws -> JSONValue {
            guard let data: Data = row[column] else { return .null }
            return .object(try JSONObject.parse([UInt8](data), limits: limits))
        }
        return [
            "kind": "account", "user_id": .string(user.text), "since": Self.time(row["since"]),
            "account_type": .string(row["account_type"]), "identity_file": try object("identity_file"),
            "device_list": try object("device_list"),
            "last_seen": Self.time(
                try self.row("SELECT max(last_seen) AS at FROM node_device WHERE user = ?", [user.text])?["at"]),
        ]
    }

    private func deviceLines(_ user: UserID) throws -> [JSONValue] {
        var lines: [JSONValue] = try devices(of: user).map { device in
            let keys = try row(
                "SELECT count(*) AS n FROM node_one_time_key WHERE user = ? AND device = ?", [user.text, device.text])
            let queues = try spool.queues(for: .device(user, device)).values
            return [
                "kind": "device", "device": .string(device.text),
                "one_time_pre_keys": .integer(keys?["n"] as Int64? ?? 0),
                "waiting": .integer(Int64(queues.reduce(0) { $0 + $1.count })),
                "waiting_bytes": .integer(Int64(queues.reduce(0) { $0 + $1.bytes.bytes })),
            ]
        }
        lines += try rows(
            "SELECT device, issued, expires FROM node_session WHERE user = ? ORDER BY issued", [user.text]
        )
        .map { row in
            [
                "kind": "session", "device": (row["device"] as String?).map { .string($0) } ?? .null,
                "issued": Self.time(row["issued"]), "expires": Self.time(row["expires"]),
            ]
        }
        return lines
    }

    private func relationLines(_ user: UserID) throws -> [JSONValue] {
        let channels: [JSONValue] = try rows(
            """
            SELECT c.*, m.device FROM node_member m JOIN node_channel c ON c.channel = m.channel
            WHERE m.user = ? ORDER BY c.node, c.name, m.device
            """, [user.text]
        ).map { row in
            let channel = try KnownChannel(row)
            return [
                "kind": "channel", "channel": .string(channel.id.name.text),
                "channel_node": .string(channel.id.node.text), "device": .string(row["device"]),
                "role": .string((try role(of: user, in: channel) ?? .member).rawValue),
            ]
        }
        let contacts: [JSONValue] = try rows(
            "SELECT contact FROM node_contact WHERE user = ? ORDER BY contact", [user.text]
        ).map { ["kind": "contact", "user_id": .string($0["contact"])] }
        let told: [JSONValue] = try rows(
            "SELECT party, version FROM node_introduction WHERE user = ? ORDER BY party", [user.text]
        ).map { ["kind": "introduction", "party": .string($0["party"]), "version": .integer($0["version"])] }
        let profiles: [JSONValue] = try rows(
            "SELECT user, as_of FROM node_profile WHERE asker = ? ORDER BY user", [user.text]
        ).map { ["kind": "profile_asked", "user_id": .string($0["user"]), "as_of": Self.time($0["as_of"])] }
        let moves: [JSONValue] = try userMove(of: user).map { [["kind": "moved", "record": .object($0.object)]] } ?? []
        return channels + contacts + told + profiles + moves
    }

    private func messagePage(_ user: UserID, after cursor: Int64) throws -> ExportPage {
        let conversations = try rows(
            "SELECT contact AS other FROM node_contact WHERE user = ?1 UNION SELECT user FROM node_contact WHERE contact = ?1",
            [user.text]
        ).map { Conversation.between(user, try UserID($0["other"] as String)).text }
        let list = String(
            decoding: JSONValue.array(conversations.map { .string($0) }).canonicalBytes(), as: UTF8.self)
        let found = try rows(
            """
            SELECT arrival, size FROM node_message WHERE arrival > ?1
              AND (author = ?2 OR conversation IN (SELECT value FROM json_each(?3)))
            ORDER BY arrival LIMIT ?4
            """, [cursor, user.text, list, Self.exportedMax])
        var chosen: [Int64] = []
        var bytes = 0
        for row in found {
            let size = (row["size"] as Int) + 256
            guard chosen.isEmpty || bytes + size <= HistoryQuestion.bytesMax else { break }
            bytes += size
            chosen.append(row["arrival"])
        }
        let entries = try entries(
            try chosen.compactMap { try self.row("SELECT * FROM node_message WHERE arrival = ?", [$0]) })
        return ExportPage(
            lines: try entries.map {
                .object(try CommandDesk.object($0, for: nil, in: self).setting("kind", "message"))
            },
            next: chosen.last)
    }
}
