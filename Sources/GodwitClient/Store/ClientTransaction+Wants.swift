import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// A message's place in its author's chain.
struct ChainLink {
    var hash: MessageHash
    var previous: MessageHash?
    var sequence: Int64
    var conversation: Conversation
    var author: DeviceAddress
    /// In channels, of a message that came as it was first sealed.
    var epoch: [UInt8]?
}

extension ChainLink {
    init(_ message: Message) {
        self.init(
            hash: message.hash, previous: message.previous, sequence: message.sequence,
            conversation: message.conversation, author: DeviceAddress(user: message.author, device: message.device),
            epoch: message.epoch)
    }
}

/// Messages that this device lacks or cannot open: each is asked for, by nodes on the way or by its author's device, until
/// it comes or somebody says why not (docs/protocol.md §7).
extension ClientTransaction {
    /// Milliseconds of uptime for which what is missing may still come by itself.
    static let wantPatience: Int64 = 600_000
    /// Milliseconds of uptime for which the start of an epoch waits for the one before.
    static let stuckPatience: Int64 = 3_600_000
    /// Milliseconds of uptime until a request is repeated; doubles each time.
    static let askPatience: Int64 = 86_400_000
    /// As long as a request lives.
    private static let askPatienceMax = Message.defaultLifetime
    /// Requests for one message; some eleven months.
    static let askMax: Int64 = 15
    /// Messages that are asked for at a time; further ones wait until some have come.
    static let wantsMax: Int64 = 4_096
    /// What stands in `lost` when nobody answered.
    static let unanswered = "unanswered"

    // MARK: What never came

    /// Messages before the first one of a chain that are asked for.
    private static let beginningMax: Int64 = 16

    /// A message has come. If the one before it has not, that is asked for: in any case where an earlier one of the chain
    /// is here, and once where none is. A message that may be read without it is shown at once, and what it follows is
    /// asked for only if this device could have read that.
    func noteLink(_ link: ChainLink, starts: Bool) throws {
        let chain: StatementArguments = [
            link.conversation.text, link.author.user.text, link.author.device.text, link.sequence,
        ]
        let hash = Data(link.hash.bytes)
        // How far back the beginning of the chain is asked for, as long as it is; and whether anybody was asked yet: what
        // is only out of order comes by itself.
        let wanted = try row(
            """
            SELECT min(seq - run + 1) AS floor, min(floor) AS told, max(attempts) AS attempts FROM client_want
            WHERE conversation = ? AND user = ? AND device = ? AND seq >= ?
            """, chain)
        let isUnasked = wanted?["attempts"] as Int64? == 0
        try run("DELETE FROM client_want WHERE hash = ?", [hash])
        guard let previous = link.previous,
            try row(
                """
                SELECT 1 FROM client_message WHERE hash = ?1 UNION ALL SELECT 1 FROM client_hole WHERE hash = ?1
                """, [Data(previous.bytes)]) == nil
        else { return }
        let inChain = "SELECT 1 FROM client_message WHERE conversation = ? AND user = ? AND device = ? AND seq "
        var count: Int64 = 1
        let told: Int64? = wanted?["told"]
        if try row(inChain + "< ? LIMIT 1", chain) == nil {
            if let told {
                // The home node has told how many are missing.
                count = min(MessageRequest.runMax, link.sequence - told)
            } else if try row(inChain + "> ? LIMIT 1", chain) == nil {
                guard try !starts || mayHaveMissed(link) else { return }
                count = min(Self.beginningMax, link.sequence)
            } else {
                // What was asked for before the beginning of the chain goes back so far and no further.
                let floor = wanted?["floor"] as Int64? ?? link.sequence
                count =
                    isUnasked
                    ? min(Self.beginningMax, link.sequence) : min(MessageRequest.runMax, link.sequence - floor)
            }
            guard count > 0 else {
                return try run("UPDATE client_message SET starts = 1 WHERE hash = ?", [hash])
            }
        }
        guard try integer("SELECT count(*) FROM client_want") ?? 0 < Self.wantsMax else { return }
        try run(
            """
            INSERT OR IGNORE INTO client_want (hash, conversation, user, device, seq, run, reason, due, floor)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Data(previous.bytes), link.conversation.text, link.author.user.text, link.author.device.text,
                link.sequence - 1, count, MessageRequest.Reason.missing.rawValue, try age() + Self.wantPatience, told,
            ])
    }

    /// How many messages are missing up to this one, as far as one request goes.
    private func run(upTo want: Row) throws -> Int64 {
        let seq: Int64 = want["seq"]
        let before = try integer(
            "SELECT max(seq) FROM client_message WHERE conversation = ? AND user = ? AND device = ? AND seq < ?",
            [want["conversation"] as String, want["user"] as String, want["device"] as String, seq])
        guard let before else { return want["run"] }
        return min(MessageRequest.runMax, seq - before)
    }

    /// There is another session with the author's device, or an earlier epoch that this device was in.
    private func mayHaveMissed(_ link: ChainLink) throws -> Bool {
        guard let epoch = link.epoch else {
            return try integer(
                "SELECT count(*) FROM client_session WHERE user = ? AND device = ?",
                [link.author.user.text, link.author.device.text]) ?? 0 > 1
        }
        // Later than the epoch that this device came with.
        return try row(
            """
            SELECT 1 FROM client_epoch now WHERE now.name = ?1 AND (now.membership, now.depth) > (
              (SELECT max(since) FROM client_member WHERE channel = now.channel AND user = ?2 AND device = ?3), 0)
            """, [Data(epoch), context.user.text, context.device.text]) != nil
    }

    // MARK: What was written before this device came

    /// Messages from before the own coming that are asked for of each author's device, where a channel shares its history.
    static let historyMax: Int64 = 256

    /// Where a channel shares its history, the messages before the first one of each chain.
    private func noteEarlier() throws {
        for row in try rows(
            """
            SELECT m.conversation, m.user, m.device, min(m.seq) AS seq, max(m.seq) AS last, m.prev
            FROM client_channel c JOIN client_message m ON m.conversation = c.name || ':' || c.node
            WHERE c.shares_history = 1 AND c.state = 'member' GROUP BY m.conversation, m.user, m.device
            """)
        {
            let seq: Int64 = row["seq"]
            guard seq > 0, row["last"] as Int64 - seq < Self.historyMax, let prev = row.optionalBlob("prev"),
                try integer("SELECT count(*) FROM client_want") ?? 0 < Self.wantsMax
            else { continue }
            try run(
                """
                INSERT OR IGNORE INTO client_want (hash, conversation, user, device, seq, run, reason, due)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    Data(prev), row["conversation"] as String, row["user"] as String, row["device"] as String, seq - 1,
                    min(MessageRequest.runMax, seq), MessageRequest.Reason.missing.rawValue, try age(),
                ])
        }
    }

    /// Whether what was written before the own coming is read as well.
    func sharesHistory(_ channel: KnownChannel) throws -> Bool {
        try integer("SELECT shares_history FROM client_channel WHERE channel = ?", [channel.row]) == 1
    }

    // MARK: Asking

    /// What is due by age: call once a contact.
    func lookForHoles() throws {
        try noteWaiting()
        try noteWaitingResealed()
        try noteStuckEpochs()
        try lookForAuthors()
        try noteEarlier()
        try giveUp()
    }

    private struct Group: Hashable {
        var conversation: String
        var user: String
        var device: String
        var reason: String
    }

    /// Asks for what is due, one object for each author's device, conversation and reason.
    func sendRequests() throws {
        // What has come meanwhile is not asked for.
        try run(
            """
            DELETE FROM client_want WHERE due <= ?1 AND EXISTS
              (SELECT 1 FROM client_message m WHERE m.hash = client_want.hash AND m.user = client_want.user
                AND m.device = client_want.device AND m.lost IS NULL)
            """, [try age()])
        let due = try rows(
            "SELECT * FROM client_want WHERE due <= ? AND attempts < ? ORDER BY conversation, user, device, seq",
            [try age(), Self.askMax])
        guard !due.isEmpty else { return }
        let groups = Dictionary(grouping: due) { row in
            Group(
                conversation: row["conversation"], user: row["user"], device: row["device"], reason: row["reason"])
        }
        for (group, rows) in groups.sorted(by: {
            $0.value[0].blob("hash").lexicographicallyPrecedes($1.value[0].blob("hash"))
        }) {
            for part in Self.parts(of: rows) {
                do {
                    try inSavepoint { try self.ask(for: part, group) }
                } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                    // Asked again once there is room. A contact, which makes room, must not fail for it.
                    return
                }
            }
        }
    }

    /// As many as one request can name, with all their sessions: what is not named counts as not failed yet.
    private static func parts(of rows: [Row]) -> [[Row]] {
        var parts: [[Row]] = []
        var sessions: Set<String> = []
        for row in rows {
            let session: String? = row["session"]
            let isNew = session.map { !sessions.contains($0) } ?? false
            let isFull = parts.last?.count ?? MessageRequest.itemsMax >= MessageRequest.itemsMax
            if isFull || isNew && sessions.count >= MessageRequest.sessionsMax {
                parts.append([])
                sessions = []
            }
            parts[parts.count - 1].append(row)
            if let session { sessions.insert(session) }
        }
        return parts
    }

    private func ask(for part: [Row], _ group: Group) throws {
        let conversation = try Self.stored {
            try Conversation(stored: group.conversation, home: context.home.id)
        }
        var question = try Self.stored {
            MessageRequest.Question(
                from: DeviceAddress(user: context.user, device: context.device),
                to: DeviceAddress(user: try UserID(group.user), device: try DeviceID(group.device)),
                name: ConversationName(conversation, of: context.user),
                reason: MessageRequest.Reason(rawValue: group.reason) ?? .missing, items: [])
        }
        question.items = part.map { Array($0.blob("hash").prefix(10)) }
        question.runs = try part.map { try run(upTo: $0) }
        if question.reason.endsSessions {
            question.sessions = Set(part.compactMap { $0["session"] as String? }).sorted()
        }
        let unsigned = MessageRequest.unsigned(question, number: try nextCounter(), at: now)
        try enqueue(context.signing.signed(unsigned, purpose: .reseal))
        for row in part {
            let attempts: Int64 = row["attempts"]
            let patience = min(try patience(Self.askPatience << min(attempts, 16)), Self.askPatienceMax)
            try run(
                "UPDATE client_want SET attempts = attempts + 1, due = ? WHERE hash = ?",
                [try age() + patience, row["hash"] as Data])
        }
    }

    /// Whether a chain is shown from the message after this one on.
    private func showsFrom(_ want: Row) throws -> Bool {
        try row(
            """
            SELECT 1 FROM client_message WHERE conversation = ? AND user = ? AND device = ? AND seq = ? AND starts = 1
            """,
            [
                want["conversation"] as String, want["user"] as String, want["device"] as String,
                want["seq"] as Int64 + 1,
            ]) != nil
    }

    /// Nobody has answered for most of a year.
    private func giveUp() throws {
        for row in try rows(
            "SELECT hash FROM client_want WHERE due <= ? AND attempts >= ?", [try age(), Self.askMax])
        {
            try close(row.blob("hash"), Self.unanswered)
        }
    }

    // MARK: Answers

    /// The messages themselves, or why they do not come.
    func take(_ answer: MessageAnswer) throws {
        guard answer.to.party == context.party else {
            throw Rejected(.misdirected, "An answer for another device arrived here.")
        }
        if case .device = answer.from {
            guard let known = try authorDevice(answer.author.user, answer.author.device) else {
                throw Waiting(.device(answer.author.user, answer.author.device))
            }
            try KeyChecks.verify(answer.object, signedBy: known.signingKey, purpose: .reseal)
        }
        for message in answer.messages where message.author == answer.author.user {
            try take(.message, message.canonicalBytes)
        }
        for (item, reason) in answer.holes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            // Another time the way may be open.
            guard reason != .unreachable else { continue }
            let wanted = try row(
                "SELECT hash FROM client_want WHERE hash BETWEEN ? AND ? AND user = ? AND device = ?",
                [
                    Data(item + [UInt8](repeating: 0, count: 22)), Data(item + [UInt8](repeating: 255, count: 22)),
                    answer.author.user.text, answer.author.device.text,
                ])
            if let wanted { try close(wanted.blob("hash"), reason.rawValue) }
        }
    }

    /// It will not come: its place is a hole with a reason, and holds up nothing.
    private func close(_ hash: [UInt8], _ reason: String) throws {
        guard let want = try row("SELECT * FROM client_want WHERE hash = ?", [Data(hash)]) else { return }
        try run("DELETE FROM client_want WHERE hash = ?", [Data(hash)])
        if reason == HoleReason.notAllowed.rawValue {
            try forgetPending(hash, of: want["user"])
            // What was written before this device came is no hole.
            if try showsFrom(want) {
                return try run("DELETE FROM client_message WHERE hash = ? AND lost IS NOT NULL", [Data(hash)])
            }
        }
        try run(
            """
            INSERT INTO client_message
              (hash, conversation, user, device, seq, timestamp, received, type, content, starts, lost)
            VALUES (?1, ?2, ?3, ?4, ?5, coalesce((SELECT timestamp FROM client_message
                WHERE conversation = ?2 AND user = ?3 AND device = ?4 AND seq = ?5 + 1 AND prev = ?1), ?6), ?6, ?7, ?8, 1, ?9)
            ON CONFLICT (hash) DO UPDATE SET lost = excluded.lost WHERE lost IS NOT NULL
            """,
            [
                Data(hash), want["conversation"] as String, want["user"] as String, want["device"] as String,
                want["seq"] as Int64, now.milliseconds, MessageType.text.rawValue, Self.emptied, reason,
            ])
        try release(conversation: want["conversation"], user: want["user"], device: want["device"])
    }
}
