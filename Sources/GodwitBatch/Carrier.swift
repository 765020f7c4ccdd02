public import GodwitProtocol

/// Moves sealed frames to a peer and back. Implementations: HTTP batch, UDP, serial, and one that fails over between them.
///
/// A carrier knows nothing of what frames hold. It bills what it puts on the link.
public protocol Carrier: Sendable {
    /// One round trip: sends the records of `request` and hands each record of the answer to `receive` as soon as it is
    /// complete, in order, waiting for `receive` before reading on.
    ///
    /// What has come of a record that is not whole goes to `request.keep`.
    ///
    /// The next record is asked for when those before it have nearly left, so that the link does not idle and little is
    /// decided ahead. A request may end before its source does, where it would grow too large or the answer is whole;
    /// what was not asked for waits. No call to the source runs any more when this returns or throws.
    ///
    /// - Throws: `ProtocolError` 3000 when the peer could not be reached or the link broke (records handed over until
    ///   then stay valid), the peer's own error when it answered one, whatever `request` or `receive` threw.
    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics
}

/// A carrier whose peer can say between exchanges that something waits there.
public protocol AnnouncedCarrier: Carrier {
    /// - Parameter notice: called from any thread when a contact is worth while: the peer said so, or the link over which
    ///   it could was lost. Replaces an earlier one; returns at once.
    /// - Returns: false where no announcement can come.
    func onAnnouncement(_ notice: @escaping @Sendable () -> Void) -> Bool
}

/// What one exchange moved, headers included, TLS and below not.
public struct ExchangeStatistics: Sendable, Hashable {
    public var sent: ByteCount
    public var received: ByteCount
    /// Milliseconds from the first byte sent to the last byte received.
    public var duration: Int64
    /// A connection was already open.
    public var reusedConnection: Bool
    /// A small packet there and back, where the carrier saw one.
    public var roundTrip: Duration?
    /// Datagrams towards the peer that wanted an acknowledgement; nil: the carrier sends none.
    public var datagramsSent: Int?
    /// Those of them that were lost.
    public var datagramsLost: Int?
    /// What went to the peer without a pause, for measuring the link.
    public var up: Flow?
    /// What came from it without a pause.
    public var down: Flow?

    /// Bytes that crossed in one direction while there was always more to send.
    public struct Flow: Sendable, Hashable {
        /// With the headers that the link carries, as far as the carrier knows them; without what was lost.
        public var bytes: ByteCount
        public var time: Duration
        /// `time` holds a round trip besides.
        public var includesRoundTrip: Bool
        /// The sender went no faster by itself; nil: as fast as the link took it.
        public var pace: BitRate?

        public init(bytes: ByteCount, time: Duration, includesRoundTrip: Bool = false, pace: BitRate? = nil) {
            self.bytes = bytes
            self.time = time
            self.includesRoundTrip = includesRoundTrip
            self.pace = pace
        }
    }

    public init(sent: ByteCount, received: ByteCount, duration: Int64, reusedConnection: Bool) {
        self.sent = sent
        self.received = received
        self.duration = duration
        self.reusedConnection = reusedConnection
    }
}

/// The answering end of a batch exchange: one session a request.
public protocol ExchangeService: Sendable {
    func openExchange() async -> any ExchangeSession
}

/// One exchange at the answering end: every record in as it arrives, then the answer's records out until nil. Whoever
/// carries the answer asks for its next record when those before it have nearly left.
public protocol ExchangeSession: Sendable {
    /// Who sealed the records; nil before the first was accepted, or where nobody is told apart.
    var party: Party? { get async }
    /// Takes one sealed frame. Returns after what it held is durable.
    /// - Throws: `ProtocolError`; the connection may live on, nothing of this record was kept.
    func receive(_ record: [UInt8]) async throws
    /// Told of a record of which only the beginning has come, each time when more of it has: the exchange may break before it
    /// is whole. Called in turns with `receive`, after all records before it.
    /// - Parameter beginning: from the record's first byte on, without its length.
    func keep(_ beginning: [UInt8]) async
    /// The next record of the answer, or nil at its end. Called after the request has ended.
    func next() async throws -> [UInt8]?
    /// The next record of the answer that can go while the request still comes in, or nil: nothing for now. Called from
    /// the first record on that was received, one after the other and before `next`, but beside `receive`.
    func nextEarly() async throws -> [UInt8]?
}

extension ExchangeSession {
    public var party: Party? { get async { nil } }
    /// What is not whole is lost.
    public func keep(_ beginning: [UInt8]) async {}
    /// Answers only what has ended.
    public func nextEarly() async throws -> [UInt8]? { nil }
}
