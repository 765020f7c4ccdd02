import FoundationEssentials
import GRDB
import GodwitProtocol

/// Where a page of a conversation's history begins or ends.
enum HistoryCursor {
    case arrival(Int64)
    case message(MessageID)
}

struct HistoryQuestion {
    static let limitUsual: Int64 = 50
    static let limitMax: Int64 = 200
    /// Bytes of messages in one answer, for it may go over a socket; one message may be larger.
    static let bytesMax = SocketLimits.messageMax - 16_384

    var conversation: Conversation
    var before: HistoryCursor?
    var after: HistoryCursor?
    var limit = HistoryQuestion.limitUsual
}

struct HistoryPage {
    /// Newest first.
    var entries: [JournalEntry] = []
    /// There is more in the direction of the question.
    var hasMore = false
    /// Its last entry in that direction.
    var next: JournalEntry?
}

/// Pages of a conversation by this node's arrival numbers, newest first (REST-05, REST-06, G-43, G-47).
extension NodeTransaction {
    /// - Throws: `ProtocolError` 2002 for a channel that the user is not in, 2000 for a cursor that is not in the
    ///   conversation.
    func history(_ question: HistoryQuestion, for user: UserID) throws -> HistoryPage {
        let floor = try firstArrival(in: question.conversation, for: user)
        let before = try question.before.map { try arrival(at: $0, in: question, "before") } ?? .max
        let after = max(floor, try question.after.map { try arrival(at: $0, in: question, "after") } ?? 0)
        let isForward = question.after != nil && question.before == nil
        let found = try rows(
            """
            SELECT arrival, length(body) AS bytes FROM node_message
            WHERE conversation = ?1 AND arrival < ?2 AND arrival > ?3 AND author NOT IN (
              SELECT blocked FROM node_block WHERE user = ?4 AND ?1 LIKE '@%')
            ORDER BY arrival \(isForward ? "ASC" : "DESC") LIMIT ?5
            """, [question.conversation.text, before, after, user.text, question.limit + 1])
        var chosen: [Int64] = []
        var bytes = 0
        for row in found.prefix(Int(question.limit)) {
            let size = (row["bytes"] as Int? ?? 0) + 256
            guard chosen.isEmpty || bytes + size <= HistoryQuestion.bytesMax else { break }
            bytes += size
            chosen.append(row["arrival"])
        }
        let entries = try entries(
            try chosen.compactMap { try self.row("SELECT * FROM node_message WHERE arrival = ?", [$0]) })
        let hasMore = chosen.count < found.count
        return HistoryPage(
            entries: isForward ? entries.reversed() : entries, hasMore: hasMore, next: hasMore ? entries.last : nil)
    }

    /// The arrival number after which a user may read.
    func firstArrival(in conversation: Conversation, for user: UserID) throws -> Int64 {
        guard case .channel(let id) = conversation else { return 0 }
        guard let channel = try channel(id),
            let since = try row(
                """
                SELECT min(s.arrival) AS arrival FROM node_member m JOIN node_member_since s
                  ON s.channel = m.channel AND s.user = m.user AND s.device = m.device
                WHERE m.channel = ? AND m.user = ?
                """, [channel.row, user.text])?["arrival"] as Int64?
        else {
            throw ProtocolError(
                .channelNotFound, "The channel is not known on this node, or the user is not in it.",
                hint: "Join it first.", details: ["channel": .string(id.name.text)])
        }
        return channel.settings.sharesHistory ? 0 : since
    }

    private func arrival(
        at cursor: HistoryCursor, in question: HistoryQuestion, _ member: String
    ) throws -> Int64 {
        switch cursor {
        case .arrival(let number): return number
        case .message(let id):
            if let prefix = id.prefix,
                let row = try row(
                    """
                    SELECT arrival FROM node_message
                    WHERE substr(hash, 1, 8) = ? AND substr(hash, 1, 10) = ? AND conversation = ?
                    ORDER BY arrival DESC LIMIT 1
                    """, [Data(prefix.prefix(8)), Data(prefix), question.conversation.text])
            {
                return row["arrival"]
            }
            throw ProtocolError.malformed(
                "There is no such message in the conversation.", member: member,
                hint: "Take next_cursor or an arrival number of an earlier answer.")
        }
    }

    /// Whether the journal has no trace of the message before one in its chain.
    func followsGap(_ message: JSONObject) throws -> Bool {
        guard let previous = message["prev"]?.string.flatMap({ MessageHash(base64: $0) }) else { return false }
        return try journalRow(previous) == nil
    }
}
