/// The stream that goes out: what is written, what was acknowledged, what has to go again.
///
/// The end of the stream counts as one more place after its last byte, so that it is lost and acknowledged like a byte.
struct SendBuffer: Sendable {
    private var bytes: [UInt8] = []
    /// Offset of `bytes.first`; everything before is acknowledged.
    private var base = 0
    private var acknowledged = ByteRanges()
    private var lost = ByteRanges()
    /// Everything from here on was never sent.
    private(set) var next = 0
    private(set) var isFinished = false
    /// The receiver takes so many bytes.
    var credit: Int

    init(credit: Int) { self.credit = credit }

    var written: Int { base + bytes.count }
    /// Bytes that were written and never sent.
    var unsent: Int { max(written - next, 0) }
    private var limit: Int { isFinished && written <= credit ? written + 1 : min(written, credit) }
    /// Was written, and may not go because the receiver's credit is used up.
    var isHeldByCredit: Bool { written > credit && next >= credit }
    var isEmptied: Bool { lost.isEmpty && next >= (isFinished ? written + 1 : written) }
    var isAcknowledged: Bool { isFinished && acknowledged.contains(0..<written + 1) }
    var hasLost: Bool { !lost.isEmpty }
    /// Places that could go now for the first time.
    var fresh: Int { max(limit - next, 0) }

    mutating func write(_ more: [UInt8]) {
        guard !isFinished else { return }
        bytes += more
    }
    mutating func finish() { isFinished = true }

    /// Where the next chunk would begin; nil: nothing may go.
    var nextOffset: Int? { lost.first?.lowerBound ?? (next < limit ? next : nil) }

    /// Cuts off the next chunk of at most `room` bytes and counts it as sent.
    /// - Returns: its bytes, the places that it takes, and whether it ends the stream.
    mutating func cut(room: Int) -> (chunk: Datagram.Chunk, places: Range<Int>, ends: Bool)? {
        guard let start = nextOffset else { return nil }
        let stop = min(lost.first?.upperBound ?? limit, start + room)
        // The end has no byte of its own and so always fits beside the last one.
        var places = start..<stop
        let whole = lost.first?.upperBound ?? limit
        if isFinished, stop == written, whole == written + 1 { places = start..<written + 1 }
        guard !places.isEmpty else { return nil }
        let ends = places.upperBound == written + 1
        let end = ends ? written : places.upperBound
        lost.remove(places)
        next = max(next, places.upperBound)
        return (Datagram.Chunk(offset: start, bytes: Array(bytes[(start - base)..<(end - base)])), places, ends)
    }

    /// What went with these places, made again; nil where some of it is acknowledged and gone.
    func chunks(at places: [Range<Int>]) -> (chunks: [Datagram.Chunk], ends: Bool)? {
        var chunks: [Datagram.Chunk] = []
        for range in places {
            guard range.lowerBound >= base, range.upperBound <= written + 1 else { return nil }
            let stop = min(range.upperBound, written)
            chunks.append(
                Datagram.Chunk(
                    offset: range.lowerBound, bytes: Array(bytes[(range.lowerBound - base)..<(stop - base)])))
        }
        return (chunks, places.last?.upperBound == written + 1)
    }

    mutating func acknowledge(_ places: Range<Int>) {
        acknowledged.insert(places)
        lost.remove(places)
        guard let first = acknowledged.first, first.lowerBound == 0 else { return }
        let done = min(first.upperBound, written) - base
        if done >= 65_536 || done == bytes.count {
            bytes.removeFirst(done)
            base += done
        }
    }

    /// What of these places was not acknowledged goes again.
    mutating func lose(_ places: Range<Int>) {
        for gap in acknowledged.gaps(in: places) { lost.insert(gap) }
    }
}
