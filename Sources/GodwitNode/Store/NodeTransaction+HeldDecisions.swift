import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// What moderators see of held messages, and what they decide (gap G-53): those who may ban, each about authors whose role
/// was below the own one.
extension NodeTransaction {
    /// Entries of a page; with its messages a page stays below a socket's limit.
    struct HeldPage {
        var held: [HeldMessage] = []
        var next: String?
    }

    // MARK: Seeing

    /// - Throws: `ProtocolError` 1002, 2000, 2002; 3000 for a channel of another node.
    func listHeld(of channel: KnownChannel, for user: UserID, after: String, limit: Int) throws -> JSONObject {
        guard channel.id.node == context.id else {
            throw ProtocolError(
                .nodeUnreachable, "What a channel holds for its moderators is kept by its node.",
                hint: "Send the signed command `list_held`; the answer comes as an object.",
                details: ["node": .string(channel.id.node.text)])
        }
        let page = try heldPage(of: channel, for: user, after: after, limit: limit, withBodies: true)
        var answer: JSONObject = [
            "messages": .array(
                try page.held.map { held in
                    .object(
                        held.entry.object.setting("message_id", .string(held.entry.hash.id.text))
                            .setting("message", .object(try JSONObject.parse(held.body))))
                })
        ]
        if let next = page.next { answer["next"] = .string(next) }
        return answer
    }

    /// The signed command, which comes in batches and from other nodes: the answer goes to the device that asked.
    func answerListHeld(_ command: SignedCommand) throws {
        let id = try command.channel()
        guard id.node == context.id else {
            try requirePeer(id.node)
            return try route(command.object, to: .node(id.node), about: [command.userID])
        }
        guard let channel = try channel(id) else { throw ProtocolError.unknownChannel }
        let fields = ObjectReader(command.data, what: "command")
        let most = Int64(HeldMessages.entriesMax)
        let limit = Int(try fields.optionalInteger("limit", in: 1...most) ?? most)
        let page = try heldPage(
            of: channel, for: command.userID, after: fields.optionalString("after") ?? "", limit: limit,
            withBodies: false)
        let answer = HeldMessages(
            to: .device(command.userID, command.device), channel: id, at: now,
            waiting: try countHeld(in: channel, below: role(of: command.userID, in: channel) ?? .restricted),
            entries: page.held.map(\.entry), next: page.next)
        try enqueueAnew(answer.object, to: hop(towards: command.userID, command.device))
    }

    /// What another node holds, for a device here.
    func take(_ held: HeldMessages, from source: Party) throws {
        guard source == .node(held.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "Held messages are listed by the channel's node.")
        }
        guard case .device(let user, let device) = held.to, user.node == context.id,
            try signingKey(of: user, device) != nil
        else { throw ProtocolError(.userNotFound, "The device is not listed here.") }
        try enqueueAnew(held.object, to: held.to)
    }

    private func heldPage(
        of channel: KnownChannel, for user: UserID, after: String, limit: Int, withBodies: Bool
    ) throws -> HeldPage {
        let role = try require(.banUsers, of: user, in: channel)
        guard let start = after.isEmpty ? 0 : Int64(after), start >= 0 else {
            throw ProtocolError.malformed("This is no `next` of an earlier answer.", member: "after")
        }
        let uptime = try spool.uptime()
        let found = try rows(
            """
            SELECT * FROM node_moderated WHERE channel = ? AND held > ? AND role IN \(Self.roles(below: role))
            ORDER BY held LIMIT ?
            """, [channel.row, start, limit + 1])
        var page = HeldPage()
        var bytes = 0
        for row in found.prefix(limit) {
            let held = try HeldMessage(row, at: uptime)
            bytes += (withBodies ? held.body.count : 0) + 512
            guard page.held.isEmpty || bytes <= HistoryQuestion.bytesMax else { break }
            page.held.append(held)
        }
        if page.held.count < found.count { page.next = page.held.last.map { String($0.row) } }
        return page
    }

    /// Held messages about which somebody of a role may decide.
    func countHeld(in channel: KnownChannel, below role: Role) throws -> Int64 {
        guard role.may(.banUsers) else { return 0 }
        return try row(
            "SELECT count(*) AS n FROM node_moderated WHERE channel = ? AND role IN \(Self.roles(below: role))",
            [channel.row])?["n"] ?? 0
    }

    private static func roles(below role: Role) -> String {
        "(" + Role.allCases.filter { $0 < role }.map { "'\($0.rawValue)'" }.joined(separator: ", ") + ")"
    }

    // MARK: Deciding

    /// Lets messages through, each author's in the order in which they were written, to those members who could read them
    /// when they were written.
    ///
    /// - Throws: `ProtocolError` 1002 where the rank does not allow it, 2000 for what is not held here, or follows
    ///   something that still is; 2003 for a device that is not listed any more. Nothing is released then.
    func releaseHeld(_ items: [MessageHash], in channel: KnownChannel, by actor: UserID) throws {
        let chosen = try held(items, in: channel, by: actor).sorted { ($0.sequence, $0.row) < ($1.sequence, $1.row) }
        for held in chosen {
            let earlier = try row(
                "SELECT 1 FROM node_moderated WHERE channel = ? AND author = ? AND device = ? AND seq < ? LIMIT 1",
                [channel.row, held.entry.author.text, held.entry.device.text, held.sequence])
            guard earlier == nil else {
                throw ProtocolError.malformed(
                    "An earlier message of the same device is still held.", member: "items",
                    hint: "Decide about it first, or release both at once.")
            }
            try takeOut(held)
            let age = try spool.uptime() - held.born
            do {
                try accept(
                    Message(parsing: held.body), from: held.source,
                    arrival: .released(age: age, membership: held.membership))
            } catch is AuthorUnknown { throw ProtocolError.deviceUnlisted }
        }
        try auditHeld(.heldReleased, chosen)
    }

    /// - Throws: as `releaseHeld`.
    func discardHeld(_ items: [MessageHash], in channel: KnownChannel, by actor: UserID) throws {
        let chosen = try held(items, in: channel, by: actor)
        for held in chosen { try end(held, in: channel.id, because: "discarded") }
        try auditHeld(.heldDiscarded, chosen)
    }

    private func held(_ items: [MessageHash], in channel: KnownChannel, by actor: UserID) throws -> [HeldMessage] {
        let role = try require(.banUsers, of: actor, in: channel)
        return try items.map { item in
            guard
                let held = try row(
                    "SELECT * FROM node_moderated WHERE hash = ? AND channel = ?",
                    [Data(item.bytes), channel.row]
                ).map({ try HeldMessage($0) })
            else {
                throw ProtocolError.malformed(
                    "No such message is held for this channel.", member: "items",
                    hint: "Somebody else may have decided, or its time is over: list what is held.")
            }
            guard role > held.role else {
                throw ProtocolError(
                    .insufficientPermissions, "The author's role was not below yours.",
                    hint: "Ask somebody whose role is higher.",
                    details: ["channel": .string(channel.id.name.text), "role": .string(role.rawValue)])
            }
            try requireRank(role, over: held.entry.author, in: channel)
            return held
        }
    }

    private func auditHeld(_ event: AuditEvent, _ decided: [HeldMessage]) throws {
        for (author, messages) in Dictionary(grouping: decided, by: \.entry.author).sorted(by: { $0.key < $1.key }) {
            try audit(event, author, count: messages.count)
        }
    }
}
