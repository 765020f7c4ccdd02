import GodwitBatch
import GodwitLink
import GodwitProtocol

/// One exchange in datagrams, both ways: a byte stream out, one in, nothing of the operating system in between
/// (docs/protocol.md §8.2). Times count from any common start and never go back.
///
/// Whoever drives it hands over what arrives, asks `poll` for what goes out until it says nil, and comes back at `wakeup`.
struct DatagramStream: Sendable {
    enum Role: Sendable { case caller, answerer }
    enum State: Sendable, Hashable {
        case open
        /// The caller has the whole answer; the answerer has everything acknowledged. Late repeats are still answered.
        case done
        /// The peer's error, silence, or the end from here.
        case failed(ProtocolError)
    }
    struct Counts: Sendable, Hashable {
        /// Bytes of datagrams, without IP and UDP.
        var sent = 0
        var received = 0
        var datagramsSent = 0
        var datagramsReceived = 0
        var probes = 0
        /// Bytes of the stream that went again.
        var repeated = 0
        /// Datagrams that wanted an acknowledgement and got none, those that came late not counted.
        var lost = 0
        /// Datagrams of parity that went, and datagrams that came rebuilt from parity.
        var parity = 0
        var rebuilt = 0
    }

    let id: UInt32
    let role: Role
    let link: DatagramLink
    var state = State.open
    var counts = Counts()

    var output = SendBuffer(credit: ReceiveBuffer.window)
    var input = ReceiveBuffer()
    var numbers = ReceivedNumbers()
    var sent = SentDatagrams()
    var pace: LinkPace
    var parity: ParitySender
    var known = ParityReceiver()
    /// What was acknowledged, and what came.
    var upMeter = FlowMeter()
    var downMeter = FlowMeter()
    /// Datagrams with data that came while this end was sending.
    var crossed = 0

    /// Datagrams that came since the last acknowledgement went.
    var unacknowledged = 0
    /// When an acknowledgement goes even by itself.
    var acknowledgeAt: Duration?
    var isAsked = false
    var creditTold = ReceiveBuffer.window
    /// How often the credit is still told.
    var creditRepeats = 0
    var lastHeard: Duration
    /// When bytes of the stream came last.
    var lastData = Duration.zero
    /// When the last datagram that wants an acknowledgement had left, and whether it asked for one.
    var lastWanting: Duration
    var lastAsked = false
    /// Waits that ended without an answer.
    var silentWaits = 0
    var isProbeDue = false
    var holdUntil = Duration.zero
    var isCloseDue = false
    /// Bytes of the stream in the first datagram, so that a long request's first record is answered while the rest is
    /// still going out; nil: as many as fit.
    var firstPart: Int?
    /// An acknowledgement showed that the peer gets what is sent to it.
    var isPeerReached = false

    init(role: Role, id: UInt32, link: DatagramLink, at now: Duration) {
        self.role = role
        self.id = id
        self.link = link
        pace = LinkPace(link)
        parity = ParitySender(share: link.parityShare)
        lastHeard = now
        lastWanting = now
    }

    /// Adds to the stream; nothing after `finish`.
    mutating func write(_ bytes: [UInt8], at now: Duration) {
        if output.fresh == 0 { holdUntil = now + link.holdDelay }
        output.write(bytes)
    }

    /// Ends the stream. The answerer only does so after the whole request has come: its end stands for that.
    mutating func finish() { output.finish() }

    /// What came and is in order.
    mutating func read(at now: Duration) -> [UInt8] {
        let read = input.read()
        if input.end == nil, input.credit - creditTold >= ReceiveBuffer.window / 2 {
            creditTold = input.credit
            creditRepeats = 3
            acknowledgeAt = min(acknowledgeAt ?? now, now)
        }
        return read
    }

    /// Ends the exchange from here: the peer is told why, or without an error that no more is wanted.
    mutating func close(_ error: ProtocolError?) {
        guard case .open = state else { return }
        closeError = error
        end(.failed(error ?? Self.unwanted))
        isCloseDue = true
    }

    var closeError: ProtocolError?
    static let unwanted = ProtocolError(
        .nodeUnreachable, "The peer broke the exchange off.", hint: "It is retried; records handed over stay valid.")
    static let silent = ProtocolError(
        .nodeUnreachable, "The link stalled.",
        hint:
            "It is retried; records handed over stay valid. If nothing ever came, look whether the peer listens on UDP."
    )
}

// MARK: - What arrives

extension DatagramStream {
    /// Takes a datagram. What is not of this exchange, what no peer could have meant and what goes beyond a limit is
    /// left out as a whole.
    mutating func receive(_ datagram: Datagram, size: Int, at now: Duration) {
        guard datagram.id == id, datagram.isFromAnswerer == (role == .caller) else { return }
        if case .failed = state {
            isCloseDue = isCloseDue || datagram.number != nil
            return
        }
        guard input.takes(datagram.chunks, ends: datagram.ends) else { return }
        var isNews = false
        if let acknowledgement = datagram.acknowledgement {
            guard let outcome = sent.acknowledge(acknowledgement) else { return }
            isNews = settle(outcome, size: size, at: now)
        }
        counts.received += size
        counts.datagramsReceived += 1
        lastHeard = now
        if let credit = datagram.credit { output.credit = max(output.credit, credit) }
        if let number = datagram.number { take(datagram, number, size: size, at: now) }
        finishIfWhole(at: now)
        // The link is back: ask at once what got lost, not when the pause is over.
        if silentWaits > 0, !isNews, sent.hasInFlight, now > lastWanting + pace.roundTrip { isProbeDue = true }
    }

    /// The peer's own end of the exchange.
    mutating func receive(_ close: DatagramClose, size: Int, at now: Duration) {
        guard close.id == id, close.isFromAnswerer == (role == .caller), case .open = state else { return }
        counts.received += size
        counts.datagramsReceived += 1
        end(.failed(close.error ?? Self.unwanted))
    }

    private mutating func settle(_ outcome: SentDatagrams.Outcome, size: Int, at now: Duration) -> Bool {
        for entry in outcome.acknowledged { for places in entry.places { output.acknowledge(places) } }
        for entry in outcome.lost { for places in entry.places { output.lose(places) } }
        // After long silence the link was gone: that is no loss of a link that is there.
        if silentWaits < 2 { counts.lost += outcome.lost.count - outcome.acknowledged.count { $0.isLost } }
        meter(outcome.acknowledged, carriedBy: size, at: now)
        if let newest = outcome.newest { pace.sample(now - newest.sentAt, carriedBy: size) }
        guard !outcome.acknowledged.isEmpty else { return false }
        silentWaits = 0
        isProbeDue = false
        isPeerReached = true
        return true
    }

    private mutating func take(_ datagram: Datagram, _ number: Int, size: Int, at now: Duration) {
        let skips = number > numbers.largest + 1
        let isNew = numbers.insert(number)
        input.insert(datagram.chunks, ends: datagram.ends)
        let isRebuilt = rebuild(with: datagram, number)
        let carries = !datagram.chunks.isEmpty || datagram.parity != nil
        if carries { lastData = now }
        if isNew, carries { meter(arrived: size, at: now) }
        unacknowledged += 1
        if datagram.asks { isAsked = true }
        let delay: Duration =
            if isRebuilt {
                // Before the peer gives it up.
                .zero
            } else if datagram.asks {
                link.askedDelay
            } else if skips || !isNew || unacknowledged >= 4 {
                .zero
            } else {
                link.acknowledgementDelay
            }
        acknowledgeAt = min(acknowledgeAt ?? now + delay, now + delay)
    }

    /// Nothing goes out any more but acknowledgements and the reason.
    mutating func end(_ state: State) {
        self.state = state
        sent.removeAll()
        parity.batch = nil
        known = ParityReceiver()
        output = SendBuffer(credit: 0)
        isProbeDue = false
    }

    private mutating func finishIfWhole(at now: Duration) {
        guard case .open = state, input.isWhole, role == .caller || output.isAcknowledged else { return }
        end(.done)
        // The last word: the answerer can forget the exchange.
        if role == .caller {
            acknowledgeAt = now
            isAsked = true
        }
    }
}

extension DatagramStream {
    /// Something can be read, or nothing more will come.
    var hasNews: Bool {
        if input.hasReadable || input.isRead { return true }
        if case .failed = state { return true }
        return false
    }

    /// Nothing heard for so long ends the exchange.
    var silenceMax: Duration {
        guard counts.datagramsReceived == 0, let first = link.firstSilence else { return link.silenceMax }
        return min(first, link.silenceMax)
    }

    /// Ends the exchange here without telling the peer.
    mutating func fail(_ error: ProtocolError) {
        guard case .open = state else { return }
        end(.failed(error))
    }
}
