import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// A change of a channel of another node has to come first.
struct MembershipUnknown: Error {
    var channel: ChannelID
    /// The change that is cited, or the one before what came.
    var version: Int64
    /// Changes alone do not help: the member list is missing, or another one than the channel's node has.
    var needsList: Bool

    var key: String { channel.text + "/\(version)" }
}

/// Changes of channels of other nodes that were missed: the channel's node is asked for them, again and again, but ever
/// more rarely and not for ever.
extension NodeTransaction {
    /// Channels in which something may be missing at a time; items of further ones are refused.
    private static let gapsMax = 256
    /// Milliseconds of uptime until a question that was handed over is asked again; doubles each time.
    static let gapPatience: Int64 = 60_000
    private static let gapPatienceMax: Int64 = 3_600_000
    /// Questions without an answer; after that only another item that cites the channel makes this node ask again.
    static let gapAttemptsMax: Int64 = 24
    /// Milliseconds that a question lives.
    private static let questionLifetime: Int64 = 86_400_000

    /// Holds an item until a change comes, and asks for that.
    func postpone(_ item: BatchItem, from source: Party, until unknown: MembershipUnknown) throws {
        do {
            try inSavepoint { try self.noteGap(unknown) }
        } catch let error as ProtocolError where !error.isOfStore {
            return try refuse(item, from: source, because: error)
        }
        try hold(item, from: source, until: unknown.key)
    }

    /// - Throws: `ProtocolError` 2002 where too much is missing already, 3000 or 1002 if the node cannot be asked.
    private func noteGap(_ unknown: MembershipUnknown) throws {
        let id = unknown.channel
        let names: StatementArguments = [id.name.text, id.node.text]
        guard try row("SELECT 1 FROM node_gap WHERE name = ? AND node = ?", names) == nil else {
            try run(
                """
                UPDATE node_gap SET wanted = max(wanted, ?), needs_list = max(needs_list, ?)
                WHERE name = ? AND node = ?
                """, [unknown.version, unknown.needsList, id.name.text, id.node.text])
            return
        }
        let count = try row("SELECT count(*) AS n FROM node_gap")?["n"] as Int64? ?? 0
        guard count < Int64(Self.gapsMax) else {
            throw ProtocolError(.channelNotFound, "The change of the channel that it needs is not known here.")
        }
        let question = try ask(about: id, needsList: unknown.needsList)
        try run(
            """
            INSERT INTO node_gap (name, node, wanted, needs_list, question, asked, attempts)
            VALUES (?, ?, ?, ?, ?, ?, 1)
            """,
            [
                id.name.text, id.node.text, unknown.version, unknown.needsList, Data(question.bytes),
                try spool.uptime(),
            ])
    }

    /// A question is an empty member list; its version is the first that is missing, 1 for all.
    private func ask(about id: ChannelID, needsList: Bool) throws -> ItemID {
        try requirePeer(id.node)
        let known = needsList ? 0 : try channel(id)?.version ?? 0
        let question = MemberList(channel: id, version: known + 1, devices: [])
        return try enqueueAnew(question.object, to: .node(id.node), lifetime: Self.questionLifetime)
    }

    /// A change has come.
    func closeGap(of id: ChannelID, at version: Int64) throws {
        try run(
            "DELETE FROM node_gap WHERE name = ? AND node = ? AND wanted <= ?", [id.name.text, id.node.text, version])
        // Not all came at once: what is left is asked for soon.
        try run(
            "UPDATE node_gap SET attempts = 0, needs_list = 0 WHERE name = ? AND node = ?",
            [id.name.text, id.node.text])
    }

    /// Asks again where a question was handed over, or has expired, and nothing came.
    func repeatQuestions() throws {
        let uptime = try spool.uptime()
        for row in try rows("SELECT * FROM node_gap ORDER BY asked") {
            let id = ChannelID(
                name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
            let attempts: Int64 = row["attempts"]
            let patience = min(Self.gapPatience << min(attempts, 16), Self.gapPatienceMax)
            let names: StatementArguments = [id.name.text, id.node.text]
            guard uptime - (row["asked"] as Int64) >= patience else { continue }
            let custody = try spool.custody(of: ItemID([UInt8](row["question"] as Data)))
            guard !custody.contains(where: { $0.state == .waiting || $0.state == .framed }) else { continue }
            guard attempts < Self.gapAttemptsMax else {
                try run("DELETE FROM node_gap WHERE name = ? AND node = ?", names)
                continue
            }
            do {
                let question = try ask(about: id, needsList: row["needs_list"])
                try run(
                    """
                    UPDATE node_gap SET question = ?, asked = ?, attempts = attempts + 1 WHERE name = ? AND node = ?
                    """, [Data(question.bytes), uptime, id.name.text, id.node.text])
            } catch is ProtocolError {
                // No room now, or the node is no peer any more: looked at again as late as an unanswered question.
                try run(
                    "UPDATE node_gap SET asked = ?, attempts = attempts + 1 WHERE name = ? AND node = ?",
                    [uptime, id.name.text, id.node.text])
            }
        }
    }
}
