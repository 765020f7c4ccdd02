import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What the node does inside one transaction of its store: journal and queues change together.
///
/// Lives only inside the closure that made it. `aftermath` says afterwards what follows; `finish` must be the last call,
/// for it settles what is gathered over a frame (joins become one membership change).
final class NodeTransaction {
    let spool: SQLiteTransaction
    let context: NodeContext
    let now: Timestamp
    /// Limits what frames bring; nil where nothing of it comes in frames.
    var gate: Gatekeeper?
    var aftermath = Aftermath()
    var joins: [ChannelID: [PendingJoin]] = [:]
    /// Joins that could not be carried out and were settled before the end.
    var refusedJoins: [RefusedJoin] = []
    /// A channel whose name was made here: what the answer to its creator says.
    var created: ChannelID?
    /// What came for which items are held; they are taken up when the item at hand is done with.
    var arrived: [Arrived] = []
    /// The last item that was found to fit into a frame: copies of it for others fit as well.
    private var fitting: ItemID?

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

    /// Runs `body`; if it throws, nothing of what it did is left.
    func inSavepoint(_ body: () throws -> Void) throws {
        let (aftermath, joins, refusedJoins, arrived) = (aftermath, joins, refusedJoins, arrived)
        do {
            try spool.inSavepoint(body)
        } catch {
            (self.aftermath, self.joins, self.arrived) = (aftermath, joins, arrived)
            self.refusedJoins = refusedJoins
            throw error
        }
    }

    /// Puts an item into a party's queue.
    /// - Throws: `ProtocolError` 2001 for one that could never leave, 3003 where there is no room.
    func enqueue(_ item: NewItem) throws {
        if case .device = item.destination { try FrameRoom.checkEvent(item.body) }
        if fitting != item.id {
            try FrameRoom.check(item)
            fitting = item.id
        }
        if try compact(item) {
            aftermath.touched.insert(item.destination)
        } else if case .accepted(let row, let after) = try spool.enqueue(item) {
            aftermath.touched.insert(item.destination)
            if case .device = item.destination {
                aftermath.fresh.append(
                    FreshItem(
                        destination: item.destination, after: after,
                        item: SpoolBody(row: row, kind: item.kind, body: item.body)))
            }
        }
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
    @discardableResult
    func enqueueAnew(
        _ object: JSONObject, to party: Party, lifetime: Int64 = Message.defaultLifetime
    ) throws -> ItemID {
        let body = object.canonicalBytes()
        let id = ItemID(SHA256Digest.of(SystemRandom().bytes(32)))
        try enqueue(
            NewItem(
                id: id, kind: .object, body: body, destination: party, priority: .control, created: now,
                lifetime: lifetime))
        return id
    }

    /// Settles what was gathered. Call once, last.
    /// - Returns: the joins that cannot be carried out; nothing of them was written.
    func finish() throws -> [RefusedJoin] {
        try takeUpHeld()
        var refused = refusedJoins
        for (channel, pending) in joins.sorted(by: { $0.key.text < $1.key.text }) {
            refused += try settle(pending, in: channel)
        }
        (joins, refusedJoins) = ([:], [])
        return refused
    }
}

extension ProtocolError {
    /// A failure of this node's store rather than of an item: what it hits stays with its sender and comes again. A
    /// destination that takes no more is the item's affair: the items of a frame for others must not wait for it.
    var isOfStore: Bool {
        code == .internalError || (code == .bandwidthExceeded && details["limit"]?.string != "destination_items")
    }
}
