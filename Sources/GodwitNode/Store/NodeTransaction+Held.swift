import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// What held items may have waited for.
enum Arrived {
    case user(UserID)
    /// A change of a channel's membership, or a list of its members.
    case version(ChannelID, Int64)
    /// The change that starts an epoch, by its key id.
    case change([UInt8])
}

/// Items that cannot be judged yet: their author was not introduced, or a change of membership is missing.
extension NodeTransaction {
    /// The longest that anything is held, in milliseconds: the longest lifetime of a message.
    private static let heldLifetimeMax: Int64 = 31_536_000_000

    /// Seconds after which a question that was pushed out may be asked again.
    private static let questionPause = 60

    /// Keeps an item; beyond the limit the oldest is refused.
    func hold(_ item: BatchItem, from source: Party, until key: String) throws {
        let uptime = try spool.uptime()
        let lifetime = min(item.lifetime, Self.heldLifetimeMax)
        try run(
            """
            INSERT INTO node_held (waits_for, source, kind, body, created, lifetime, ends)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key, source.text, item.kind.rawValue, Data(item.body), item.created.milliseconds, lifetime,
                uptime + lifetime - item.age,
            ])
        let count = try row("SELECT count(*) AS n FROM node_held")?["n"] as Int64? ?? 0
        guard count > Int64(context.heldMax), let oldest = try row("SELECT * FROM node_held ORDER BY held LIMIT 1")
        else { return }
        let waited: String = oldest["waits_for"]
        let isQuestion = LimitedQuestion.allCases.contains { waited.hasPrefix($0.key) }
        let dropped = try takeOut(oldest, at: uptime)
        try refuse(
            dropped.item, from: dropped.source,
            because: isQuestion
                ? Gatekeeper.Wait(seconds: Self.questionPause, limit: "held").error
                : ProtocolError(
                    .userNotFound, "What the item needs never came to the reader's node, and too many items wait there."
                ))
    }

    /// Takes up the items whose lack has been made good. What still lacks something is held again.
    func takeUpHeld() throws {
        let uptime = try spool.uptime()
        while !arrived.isEmpty {
            for row in try waiting(for: arrived.removeFirst()) {
                let (item, source) = try takeOut(row, at: uptime)
                try attempt(item, from: source)
            }
        }
    }

    private func waiting(for arrived: Arrived) throws -> [Row] {
        switch arrived {
        case .user(let user):
            return try rows("SELECT * FROM node_held WHERE waits_for = ? ORDER BY held", [user.text])
        case .change(let keyID):
            return try rows(
                "SELECT * FROM node_held WHERE waits_for = ? ORDER BY held", [ChangeUnknown(keyID: keyID).key])
        case .version(let channel, let version):
            // "/" is followed by "0", so this is the range of all texts that begin with the key and a slash.
            let found = try rows(
                "SELECT * FROM node_held WHERE waits_for >= ? AND waits_for < ? ORDER BY held",
                [channel.text + "/", channel.text + "0"])
            return found.filter { row in
                let key: String = row["waits_for"]
                return key.split(separator: "/").last.flatMap { Int64($0) }.map { $0 <= version } ?? false
            }
        }
    }

    /// Ends the holding of items whose lifetime is over, by uptime as everything else (D-16); their authors are told.
    /// - Returns: how many there were, at most as many as the spool expires in one call.
    func expireHeld() throws -> Int {
        let uptime = try spool.uptime()
        let ended = try rows(
            "SELECT * FROM node_held WHERE ends <= ? ORDER BY ends, held LIMIT ?",
            [uptime, SpoolConfiguration.expiredPerCall])
        for row in ended {
            let (item, source) = try takeOut(row, at: uptime)
            try refuse(
                item, from: source,
                because: ProtocolError(
                    .nodeUnreachable, "The item expired at the reader's node before what it needs came there."))
        }
        return ended.count
    }

    func takeOut(_ row: Row, at uptime: Int64) throws -> (item: BatchItem, source: Party) {
        try run("DELETE FROM node_held WHERE held = ?", [row["held"] as Int64])
        let lifetime: Int64 = row["lifetime"]
        let ends: Int64 = row["ends"]
        return (
            BatchItem(
                kind: BatchItem.Kind(rawValue: Int(row["kind"] as Int64)) ?? .object,
                body: [UInt8](row["body"] as Data), created: Timestamp(milliseconds: row["created"]),
                lifetime: lifetime, age: uptime + lifetime - ends, priority: .control),
            try Party(row["source"] as String)
        )
    }
}
