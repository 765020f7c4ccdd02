public import GodwitProtocol

/// What may be done to a spool inside one transaction. Calls are synchronous: they run on the store's own queue.
///
/// Everything done in one transaction is durable together or not at all (`synchronous=FULL`); a spool returns from
/// `write` only after the commit.
public protocol SpoolTransaction {
    // MARK: Items

    /// Takes custody of an item for one destination.
    ///
    /// - Returns: `.duplicate` if the same id was already accepted for this destination within the
    ///   duplicate-detection time, or is still in custody; nothing is written then.
    /// - Throws: `ProtocolError` 3003 when a limit of `SpoolConfiguration` is exceeded (the hint says what to do,
    ///   `details.limit` which: `spool_bytes`, `destination_items`, `owner_bytes`, `disk_percent`, `disk`); 2001 for a
    ///   body over `bodyMax`; 2000 for an age or lifetime below 0 or over 100 years. Nothing is written then.
    func enqueue(_ item: NewItem) throws -> EnqueueOutcome

    /// Counts, bytes and ages of what waits (not yet in a frame) for a destination, by class.
    func queues(for destination: Party) throws -> [PriorityClass: QueueSummary]

    /// The oldest waiting items of one class, at most `count` and at most `bytes` of bodies (at least one item if any
    /// waits); what expires first goes first among items whose lifetime ends within an hour (D-20). An item whose body is damaged on disk is left out.
    func waiting(for destination: Party, class: PriorityClass, count: Int, bytes: ByteCount) throws -> [SpoolItem]

    /// Every destination for which something waits or is in an unacknowledged frame, in order of its text.
    func destinations() throws -> [Party]

    /// Where the copies of an item are, one entry a destination; hand-over and expiry are known for the
    /// duplicate-detection time.
    func custody(of id: ItemID) throws -> [Custody]

    /// Ids known here, in custody or as marks of what left it, that begin with these bytes: at most 16, in order.
    func ids(beginning prefix: [UInt8]) throws -> [ItemID]

    /// What is in custody for a destination (or all), oldest first, without reading a body: damage does not matter.
    func summaries(for destination: Party?, limit: Int) throws -> [ItemSummary]

    /// The copies of an item that are in custody, oldest first.
    func summaries(of id: ItemID) throws -> [ItemSummary]

    /// Items in custody for a destination (or all), oldest first. Bodies are read too: keep `limit` small.
    func items(for destination: Party?, limit: Int) throws -> [SpoolItem]

    /// Ends custody of items handed over by other means than a frame (a live socket), or by an operator's order.
    /// Rows that are not in custody are passed over.
    ///
    /// Here and wherever custody ends, a body that is damaged on disk counts as empty: it holds up nothing.
    func release(_ rows: [Int64]) throws

    /// Removes and returns items whose lifetime has ended, judged by age (never by the wall clock alone, D-16).
    ///
    /// Framed items expire as well; their frame stays until it is acknowledged. At most 1,024 items a call, first those
    /// that ended first: if so many come back, call again with 0.
    ///
    /// - Parameter elapsed: milliseconds of uptime since the last call; added to every item's age. Less than 0 is 0.
    func expire(elapsed: Int64) throws -> [SpoolItem]

    // MARK: Frames to a peer

    /// The incarnation of this sender towards a peer and the number that its next frame gets. Draws the incarnation at
    /// the first call for a peer, so that call must stand in a `write`.
    func nextFrame(to peer: Party) throws -> FrameNumber

    /// Stores a frame and marks its items as framed. Its number must be the one that `nextFrame` gives.
    /// - Throws: `SpoolError` `.frameNumber` for another number, `.notWaiting` if an item is not waiting.
    func record(_ frame: OutboundFrame) throws

    /// Frames not yet acknowledged, in number order. `items` are those that are still in custody.
    func unacknowledged(to peer: Party) throws -> [OutboundFrame]

    /// As `unacknowledged(to:)`, but only those of one path.
    func unacknowledged(to peer: Party, path: String) throws -> [OutboundFrame]

    /// As `unacknowledged(to:)`, but only those with these numbers.
    func unacknowledged(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [OutboundFrame]

    /// Frames of all paths that are not yet acknowledged, in number order, without reading their bytes.
    func inFlight(to peer: Party) throws -> [FrameSummary]

    /// Gives unacknowledged frames to another path, which sends them again as they are. Numbers that are not in flight
    /// are passed over.
    func move(_ numbers: [FrameNumber], to path: String, of peer: Party) throws

    /// Digests of frames that were acknowledged while one with a lower number was not, by number: what a later
    /// acknowledgement that names them again is compared with.
    func settledDigests(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [UInt64: [UInt8]]

    /// Ends custody of all items in the frames of these numbers; numbers already acknowledged, never given or of
    /// another incarnation are passed over.
    /// - Returns: the items released, in the order of their frames, with state `.forwarded`.
    func acknowledge(from peer: Party, incarnation: UInt32, numbers: [ClosedRange<UInt64>]) throws -> [SpoolItem]

    /// Sets a new incarnation towards a peer; waiting frames are dissolved and their items wait again. Numbers start
    /// again at 1.
    /// - Throws: `SpoolError` `.incarnation` if it is the present one or 0.
    func renewIncarnation(to peer: Party, incarnation: UInt32) throws

    // MARK: Frames from a peer

    /// Notes a frame as committed. The caller stores what the frame held in the same transaction, if it is `.fresh`.
    ///
    /// A number below the floor counts as `.repeated`, whatever its digest.
    ///
    /// - Parameter digest: 32 bytes.
    /// - Throws: `ProtocolError` 2000 for number 0 or above 2^63 − 2 or a digest of another length; 3002 when 16,384
    ///   frames of the incarnation are not settled.
    func commitInbound(_ number: FrameNumber, from peer: Party, digest: [UInt8]) throws -> InboundOutcome

    /// What has been committed from a peer, one entry for each incarnation still kept (at most 4, in the order in which
    /// they were first heard of, newest last).
    func inbound(from peer: Party) throws -> [InboundState]

    /// The peer says that all numbers below `floor` are settled: their digests need not be kept. A lower floor than the
    /// known one changes nothing; an incarnation not heard of before is noted.
    func settleInbound(below floor: UInt64, incarnation: UInt32, from peer: Party) throws

    // MARK: Contexts

    /// Keeps what the chains of a frame to `peer` came to, until the incarnation changes. Of the numbers those within 512
    /// of the newest are kept.
    ///
    /// - Parameter bytes: at most 65,536.
    func keepContexts(_ bytes: [UInt8], of number: UInt64, to peer: Party) throws

    /// What was kept of frames to `peer` from number `first` on, in their order.
    func contexts(to peer: Party, from first: UInt64) throws -> [(number: UInt64, bytes: [UInt8])]

    /// The same for frames from `peer`; kept as long as its incarnation is.
    func keepContexts(_ bytes: [UInt8], of number: FrameNumber, from peer: Party) throws

    /// What was kept of frames from `peer` with these numbers; those of which nothing is there are missing.
    func contexts(from peer: Party, incarnation: UInt32, numbers: [UInt64]) throws -> [UInt64: [UInt8]]
}

/// A durable queue in custody of what was accepted.
public protocol Spool: Sendable {
    associatedtype Transaction: SpoolTransaction

    /// Runs `body` in a transaction shared with concurrent callers (group commit) and returns after the commit.
    /// If `body` throws, its own changes are undone and the others' are kept. Where another one does, `body` may run
    /// again after what it changed was undone; so it changes nothing else, but for counters that may count twice.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Value) async throws -> Value

    /// Runs `body` on a snapshot; it must not write.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Value) async throws -> Value
}
