import GodwitLink

/// Parity that this end sends (docs/protocol.md §8.2): over what is under way at the end of the stream, while the link would
/// otherwise be idle until an acknowledgement comes. Before the end what is lost goes again beside what is new, and no time
/// is lost.
struct ParitySender: Sendable {
    /// One group whose parity is going out.
    struct Batch: Sendable {
        var group: Int
        var last: Int
        var map: UInt64
        var code: ErasureCode
        var symbols: [[UInt8]]
        var size: Int
        var rows: Int
        var nextRow = 0
    }

    /// Parity for each hundred datagrams; 0: none.
    var share: Int
    var batch: Batch?
    /// Groups so far.
    var groups = 0

    /// Rows for so many datagrams: at least one.
    func rows(for count: Int) -> Int { min((count * share + 99) / 100, DatagramParity.rowsMax) }
}

extension DatagramStream {
    var owner: ParitySymbol.Owner { ParitySymbol.Owner(id: id, isFromAnswerer: role == .answerer) }
    private var peer: ParitySymbol.Owner { ParitySymbol.Owner(id: id, isFromAnswerer: role == .caller) }

    /// Bytes that a datagram with chunks leaves free so that parity over it fits into one, too; without `number`, `id` and
    /// `type`, which both have.
    var parityRoom: Int { parity.share > 0 ? 1 + DatagramParity.headSize + ParitySymbol.overhead : 0 }

    var isParityDue: Bool {
        // What answers nothing may be gone: that is for probes to find out.
        guard case .open = state, parity.share > 0, silentWaits == 0, output.isFinished, !output.hasLost else {
            return false
        }
        if let batch = parity.batch, sent.needsParity(batch.group) { return true }
        let uncovered = sent.uncovered.count
        return output.isEmptied ? uncovered > 0 : uncovered >= DatagramParity.coveredMax
    }

    /// The next parity; nil where there is none, or no room for it.
    mutating func sendParity(at now: Duration) -> [UInt8]? {
        if let batch = parity.batch, !sent.needsParity(batch.group) { parity.batch = nil }
        if parity.batch == nil { parity.batch = makeBatch() }
        guard var batch = parity.batch else { return nil }
        var datagram = blank
        let number = sent.nextNumber
        datagram.number = number
        var left = room - 6 - Datagram.varintSize(number) - 3 - Datagram.varintSize(batch.map) - batch.size
        addOpening(to: &datagram, left: &left)
        let reach = number - batch.last + 63 - batch.map.leadingZeroBitCount
        guard left >= 0, reach <= DatagramParity.reach else {
            // No room, or repairs have come between: no more of it.
            parity.batch = nil
            sent.guardGroup(batch.group, until: number - 1)
            return nil
        }
        if unacknowledged > 0 || creditRepeats > 0 { addAcknowledgement(to: &datagram, left: &left, spare: 0) }
        datagram.parity = DatagramParity(
            last: batch.last, map: batch.map, row: batch.nextRow, share: parity.share,
            symbol: batch.code.parity(batch.nextRow, of: batch.symbols, size: batch.size))
        batch.nextRow += 1
        datagram.asks = batch.nextRow == batch.rows
        sent.guardGroup(batch.group, until: number + batch.rows - batch.nextRow)
        parity.batch = batch.nextRow < batch.rows ? batch : nil
        counts.parity += 1
        return emit(datagram, places: [], parityOf: batch.group, at: now)
    }

    /// The oldest of what is under way and not covered, as far as one group reaches.
    private mutating func makeBatch() -> ParitySender.Batch? {
        let open = sent.uncovered
        guard !open.isEmpty else { return nil }
        parity.groups += 1
        let rowsMost = parity.rows(for: DatagramParity.coveredMax)
        let floor = sent.nextNumber + rowsMost - DatagramParity.reach
        let head = 6 + Datagram.varintSize(sent.nextNumber) + DatagramParity.headSize
        // Where a datagram takes longer than an acknowledgement, what is missing is known before its parity could come.
        let most = min(room, link.sentInRoundTrip) - head
        var covered: [(number: Int, symbol: [UInt8])] = []
        for entry in open where entry.number >= floor && covered.count < DatagramParity.coveredMax {
            guard let content = output.chunks(at: entry.places) else { continue }
            let symbol = ParitySymbol.bytes(content.chunks, ends: content.ends, number: entry.number, of: owner)
            // What went before the share was known may leave no room for it.
            if symbol.count <= most { covered.append((entry.number, symbol)) }
        }
        guard let last = covered.last?.number else {
            sent.cover(open.map(\.number), as: parity.groups)
            return nil
        }
        // Those before are too old for any group.
        sent.cover(open.map(\.number).filter { $0 <= last }, as: parity.groups)
        return ParitySender.Batch(
            group: parity.groups, last: last, map: covered.reduce(0) { $0 | 1 << UInt64(last - $1.number) },
            code: ErasureCode(dataCount: covered.count), symbols: covered.map(\.symbol),
            size: covered.map(\.symbol.count).max() ?? 0, rows: parity.rows(for: covered.count))
    }

    /// Keeps what a datagram carried, and rebuilds what it or its parity allows.
    /// - Returns: whether anything was rebuilt.
    mutating func rebuild(with datagram: Datagram, _ number: Int) -> Bool {
        guard case .open = state else { return false }
        var rebuilt: [ParityReceiver.Content] = []
        if let parity = datagram.parity {
            if role == .answerer { self.parity.share = parity.share }
            rebuilt = known.take(parity, largest: numbers.largest, of: peer)
        } else if !datagram.chunks.isEmpty {
            rebuilt = known.keep(
                ParityReceiver.Content(number: number, chunks: datagram.chunks, ends: datagram.ends),
                largest: numbers.largest, of: peer)
        }
        for content in rebuilt where input.takes(content.chunks, ends: content.ends) {
            guard numbers.insert(content.number) else { continue }
            input.insert(content.chunks, ends: content.ends)
            counts.rebuilt += 1
        }
        return !rebuilt.isEmpty
    }
}
