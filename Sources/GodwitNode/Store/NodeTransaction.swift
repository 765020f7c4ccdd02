import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What the node does inside one transaction of its store: journal and queues change together.
///
/// Lives only inside the closure that made it. `touched` says afterwards for whom something new waits; `finish` must be
/// the last call, for it settles what is gathered over a frame (joins become one membership change).
final class NodeTransaction {
    let spool: SQLiteTransaction
    let context: NodeContext
    let now: Timestamp
    private(set) var touched: Set<Party> = []
    var joins: [ChannelID: [Joiner]] = [:]

    var database: Database { spool.database }

    init(_ spool: SQLiteTransaction, context: NodeContext, now: Timestamp) {
        self.spool = spool
        self.context = context
        self.now = now
    }

    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func row(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Puts an item into a party's queue.
    func enqueue(_ item: NewItem) throws {
        if case .accepted = try spool.enqueue(item) { touched.insert(item.destination) }
    }

    /// Puts an object into a party's queue, class control.
    func enqueue(_ object: JSONObject, to party: Party, kind: ItemKind = .object) throws {
        let body = object.canonicalBytes()
        try enqueue(
            NewItem(
                id: ItemID(SHA256Digest.of(body)), kind: kind, body: body, destination: party, priority: .control,
                created: now, lifetime: Message.defaultLifetime))
    }

    /// Puts a question or an answer into a party's queue: asked again with the same words it is no duplicate.
    func enqueueAnew(_ object: JSONObject, to party: Party) throws {
        let body = object.canonicalBytes()
        try enqueue(
            NewItem(
                id: ItemID(SHA256Digest.of(SystemRandom().bytes(32))), kind: .object, body: body, destination: party,
                priority: .control, created: now, lifetime: Message.defaultLifetime))
    }

    /// Settles what was gathered. Call once, last.
    func finish() throws {
        for (channel, joiners) in joins.sorted(by: { $0.key.text < $1.key.text }) {
            try changeMembership(of: channel, joining: joiners)
        }
        joins = [:]
    }
}
