import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// A message of an epoch in which its author was a member, by somebody who has been banned since.
struct AuthorBanned: Error {
    var message: Message
    var channel: KnownChannel
    /// The version that the message's epoch belongs to.
    var membership: Int64
    /// The author's role before the ban.
    var role: Role
}

/// Messages that wait at their channel's node until a moderator decides (gap G-53). What is held is durable before its
/// sender may forget it; what is not released ends with a refusal to its author, whatever the reason.
extension NodeTransaction {
    /// Messages that are held: of one author in a channel, of a channel, in all.
    static let moderatedMax = (author: Int64(128), channel: Int64(512), all: Int64(4_096))
    /// Bytes of them, of a channel and in all.
    static let moderatedBytesMax = (channel: Int64(4_194_304), all: Int64(33_554_432))

    /// Holds a message, or refuses it where too many wait already: whoever floods pushes nobody else out.
    /// - Parameter age: milliseconds, of the message as it came.
    func holdForModerator(_ banned: AuthorBanned, from source: Party, age: Int64) throws {
        let (message, channel) = (banned.message, banned.channel)
        guard try row("SELECT 1 FROM node_moderated WHERE hash = ?", [Data(message.hash.bytes)]) == nil else { return }
        let keeps = min(message.lifetime - age, try retention(of: message))
        let body = message.canonicalBytes
        guard keeps > 0, try hasRoom(for: Int64(body.count), of: message.author, in: channel) else {
            return try refuse(
                message.hash.bytes, of: .device(message.author, message.device),
                because: .notSending(in: channel.id, keeps > 0 ? "full" : "not_kept"))
        }
        let isFirst = try row("SELECT 1 FROM node_moderated WHERE channel = ? LIMIT 1", [channel.row]) == nil
        let uptime = try spool.uptime()
        try run(
            """
            INSERT INTO node_moderated (
              channel, hash, author, device, seq, role, membership, source, body, timestamp, received, age, since, ends)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                channel.row, Data(message.hash.bytes), message.author.text, message.device.text, message.sequence,
                banned.role.rawValue, banned.membership, source.text, Data(body), message.timestamp.milliseconds,
                now.milliseconds, age, uptime, uptime + keeps,
            ])
        if isFirst { try tellModerators(of: channel, outranking: banned.role) }
    }

    private func hasRoom(for bytes: Int64, of author: UserID, in channel: KnownChannel) throws -> Bool {
        guard
            let used = try row(
                """
                SELECT count(*) AS n, coalesce(sum(length(body)), 0) AS bytes,
                  count(*) FILTER (WHERE channel = ?1) AS in_channel,
                  coalesce(sum(length(body)) FILTER (WHERE channel = ?1), 0) AS channel_bytes,
                  count(*) FILTER (WHERE channel = ?1 AND author = ?2) AS of_author
                FROM node_moderated
                """, [channel.row, author.text])
        else { return false }
        return used["of_author"] < Self.moderatedMax.author && used["in_channel"] < Self.moderatedMax.channel
            && used["n"] < Self.moderatedMax.all && used["channel_bytes"] + bytes <= Self.moderatedBytesMax.channel
            && used["bytes"] + bytes <= Self.moderatedBytesMax.all
    }

    /// Says that something waits, once until nothing waits any more: devices of those who may decide.
    private func tellModerators(of channel: KnownChannel, outranking role: Role) throws {
        for member in try members(of: channel) where member.role.may(.banUsers) && member.role > role {
            if member.user.node == context.id, try signingKey(of: member.user, member.device) == nil { continue }
            let notice = HeldMessages(to: member.party, channel: channel.id, at: now, waiting: 1)
            // Whoever cannot be told finds it in the list.
            do { try enqueueAnew(notice.object, to: hop(towards: member.user, member.device)) } catch let error
                as ProtocolError where !error.isOfStore
            {}
        }
    }

    /// Ends the holding of what nobody has decided about in time, by uptime as everything else (D-16).
    /// - Returns: how many there were, at most as many as the spool expires in one call.
    func expireModerated() throws -> Int {
        // A node that is told to keep less than before ends earlier what it has.
        try run("UPDATE node_moderated SET ends = since + ?1 WHERE ends > since + ?1", [context.retention.milliseconds])
        let ended = try rows(
            """
            SELECT m.*, c.name, c.node FROM node_moderated m JOIN node_channel c ON c.channel = m.channel
            WHERE ends <= ? ORDER BY ends, held LIMIT ?
            """, [try spool.uptime(), SpoolConfiguration.expiredPerCall])
        for row in ended { try end(HeldMessage(row), in: ChannelID(row), because: "expired") }
        return ended.count
    }

    /// A channel that ends takes nothing with it untold.
    func refuseModerated(in channel: KnownChannel) throws {
        for row in try rows("SELECT * FROM node_moderated WHERE channel = ? ORDER BY held", [channel.row]) {
            try end(HeldMessage(row), in: channel.id, because: "channel_ended")
        }
    }

    /// Takes a message out and refuses it to its author.
    /// - Parameter reason: a word for the author.
    func end(_ held: HeldMessage, in channel: ChannelID, because reason: String) throws {
        try takeOut(held)
        try refuse(
            held.entry.hash.bytes, of: .device(held.entry.author, held.entry.device),
            because: .notSending(in: channel, reason))
    }

    func takeOut(_ held: HeldMessage) throws {
        try run("DELETE FROM node_moderated WHERE held = ?", [held.row])
        aftermath.erased = true
    }
}

/// A row of the table of what waits for a moderator.
struct HeldMessage {
    var row: Int64
    var entry: HeldMessages.Entry
    var sequence: Int64
    /// The author's role before the ban.
    var role: Role
    var membership: Int64
    var source: Party
    var body: [UInt8]
    /// On the scale of the spool's uptime, less the age that it had when it came: its age counts from here.
    var born: Int64

    /// - Parameter uptime: of now, for the time that is left.
    init(_ row: Row, at uptime: Int64 = 0) throws {
        guard let hash = MessageHash([UInt8](row["hash"] as Data)) else {
            throw SpoolError(.corrupt, "A held message has no whole hash.")
        }
        let body = [UInt8](row["body"] as Data)
        self.row = row["held"]
        entry = HeldMessages.Entry(
            hash: hash, author: try UserID(row["author"] as String), device: try DeviceID(row["device"] as String),
            timestamp: Timestamp(milliseconds: row["timestamp"]), receivedAt: Timestamp(milliseconds: row["received"]),
            size: Int64(body.count), left: max(0, row["ends"] as Int64 - uptime))
        sequence = row["seq"]
        role = Role(rawValue: row["role"]) ?? .owner
        membership = row["membership"]
        source = try Party(row["source"] as String)
        self.body = body
        born = row["since"] as Int64 - (row["age"] as Int64)
    }
}

extension ChannelID {
    init(_ row: Row) throws {
        self.init(name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
    }
}

extension ProtocolError {
    /// - Parameter reason: a word; `discarded` where a moderator has decided so.
    static func notSending(in channel: ChannelID, _ reason: String) -> Self {
        Self(
            .insufficientPermissions, "The author may not send messages to this channel.",
            hint: "It was written before a ban and came after it; no moderator has let it through.",
            details: ["channel": .string(channel.name.text), "reason": .string(reason)])
    }
}
