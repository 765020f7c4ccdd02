/// The stream that comes in, put in order. The first bytes that come for a place count.
struct ReceiveBuffer: Sendable {
    /// Bytes that are taken beyond what was read.
    static let window = 262_144
    /// Holes between what came out of order; a datagram that makes more is not taken.
    static let rangesMax = 256

    /// Bytes from `base` on; between them holes.
    private var bytes: [UInt8] = []
    private var base = 0
    private var have = ByteRanges()
    private(set) var end: Int?

    var credit: Int { base + Self.window }
    /// Everything has come, read or not.
    var isWhole: Bool { end.map { have.contains(base..<$0) } ?? false }
    /// Everything was read.
    var isRead: Bool { end == base }
    var hasReadable: Bool { have.first.map { $0.lowerBound <= base && $0.upperBound > base } ?? false }
    /// Bytes of the stream that have come.
    private(set) var arrived = 0

    /// Whether the chunks agree with the limits and with what is known of the end.
    func takes(_ chunks: [Datagram.Chunk], ends: Bool) -> Bool {
        var end = end
        if ends, let last = chunks.last {
            guard end == nil || end == last.range.upperBound, have.end <= last.range.upperBound else { return false }
            end = last.range.upperBound
        }
        return chunks.allSatisfy { $0.range.upperBound <= min(credit, end ?? .max) }
            && have.count + chunks.count <= Self.rangesMax
    }

    /// - Precondition: `takes` said so.
    mutating func insert(_ chunks: [Datagram.Chunk], ends: Bool) {
        if ends, let last = chunks.last { end = last.range.upperBound }
        for chunk in chunks where chunk.range.upperBound > base {
            let range = max(base, chunk.offset)..<chunk.range.upperBound
            if bytes.count < range.upperBound - base {
                bytes += [UInt8](repeating: 0, count: range.upperBound - base - bytes.count)
            }
            for gap in have.gaps(in: range) {
                arrived += gap.count
                bytes.replaceSubrange(
                    (gap.lowerBound - base)..<(gap.upperBound - base),
                    with: chunk.bytes[(gap.lowerBound - chunk.offset)..<(gap.upperBound - chunk.offset)])
            }
            have.insert(range)
        }
    }

    /// What is in order and was not read yet.
    mutating func read() -> [UInt8] {
        guard hasReadable, let first = have.first else { return [] }
        let count = first.upperBound - base
        let read = Array(bytes.prefix(count))
        bytes.removeFirst(count)
        base += count
        return read
    }
}
