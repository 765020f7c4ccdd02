import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What a device does inside one transaction of its store: keys, boxes and queue change together.
///
/// Lives only inside the closure that made it. `finish` must be the last call: it retries what waited for something that
/// has come, makes epochs that are due, seals what can be sealed, and queues receipts.
final class ClientTransaction {
    let spool: SQLiteTransaction
    let context: DeviceContext
    let now: Timestamp
    /// Milliseconds that the machine has been up.
    let uptime: Int64
    /// Names of what has come in this transaction (see `Awaited`), for which other items may be waiting.
    var arrived: [Awaited] = []
    /// Direct messages read in this transaction, by their author's device.
    var delivered: [Party: [[UInt8]]] = [:]
    /// How many waiting items were dropped in this transaction for want of room, by author.
    var dropped: [String: Int] = [:]

    var database: Database { spool.database }

    init(_ spool: SQLiteTransaction, context: DeviceContext, now: Timestamp, uptime: Int64) {
        self.spool = spool
        self.context = context
        self.now = now
        self.uptime = uptime
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

    func integer(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Int64? {
        try Int64.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func inSavepoint(_ body: () throws -> Void) throws { try spool.inSavepoint(body) }

    /// Queues an object for the home node, class control.
    ///
    /// - Parameter nonce: tells repeats of one and the same object apart, which the queue would otherwise take for one.
    /// - Returns: SHA-256 of the object, by which refusals name it.
    @discardableResult
    func enqueue(_ object: JSONObject, kind: ItemKind = .object, nonce: Int64? = nil) throws -> [UInt8] {
        let body = object.canonicalBytes()
        let item = SHA256Digest.of(body)
        let id = nonce.map { Self.id(of: item, $0) } ?? item
        _ = try spool.enqueue(
            NewItem(
                id: ItemID(id), kind: kind, body: body, destination: context.homeParty, priority: .control,
                created: now, lifetime: Message.defaultLifetime))
        return item
    }

    /// Names an item in the queue apart from others with the same body.
    static func id(of item: [UInt8], _ nonce: Int64) -> [UInt8] { SHA256Digest.of(item, Array(String(nonce).utf8)) }

    /// Queues a state-changing command under the next counter (D-8).
    /// - Returns: SHA-256 of the command.
    func command(_ name: String, _ data: JSONObject) throws -> [UInt8] {
        let unsigned = SignedCommand.unsigned(
            name, data, user: context.user, device: context.device, counter: try nextCounter())
        return try enqueue(context.signing.signed(unsigned, purpose: .command))
    }

    /// A number that this device never gives twice.
    func nextCounter() throws -> Int64 {
        try run("UPDATE client_identity SET counter = counter + 1")
        return try integer("SELECT counter FROM client_identity") ?? 1
    }

    /// What a node may make the counter: it could not grow far enough afterwards.
    private static let counterMax: Int64 = 1 << 52

    /// The home node has had a command under `last`, and so took none of this device that has a lower number.
    /// - Returns: whether the refused command goes again: it is to create or join a channel.
    func numberOn(from last: Int64, _ refused: [UInt8]) throws -> Bool {
        guard (1...Self.counterMax).contains(last) else { return false }
        try run("UPDATE client_identity SET counter = max(counter, ?)", [last])
        var goesAgain = false
        do {
            try inSavepoint { goesAgain = try self.enterAgain(refused) }
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            return false
        }
        return goesAgain
    }

    /// Settles what was gathered. Call once, last.
    func finish() throws {
        repeat {
            while !arrived.isEmpty { try retry(arrived.removeFirst()) }
            try carryOutDuties()
        } while !arrived.isEmpty
        try flush()
        try flushReseals()
        try sendRequests()
        try sendReceipts()
        try warnOfDropped()
        try purgeIndex()
    }
}

extension Row {
    /// A blob that the schema says is there.
    func blob(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
    func optionalBlob(_ column: String) -> [UInt8]? { (self[column] as Data?).map { [UInt8]($0) } }
}
