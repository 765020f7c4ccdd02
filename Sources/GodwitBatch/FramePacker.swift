public import GodwitProtocol

/// Fills frames: how many of the waiting items fit, and their bytes.
public enum FramePacker {
    public struct Packed: Hashable, Sendable {
        /// Items that went in, from the front.
        public var count: Int
        /// The frame before sealing, at most as long as the limit.
        public var bytes: [UInt8]
        /// What its chains have come to.
        public var contexts: FrameContexts
    }

    /// Encodes the longest prefix of `frame.items` that fits: that many fit and one more does not. Items beyond 1,024 or
    /// 1 MiB wait for the next frame.
    ///
    /// `hasMore` is set in the bytes when items are left over, besides when `frame.hasMore` says so.
    ///
    /// - Parameters:
    ///   - limit: bytes of the frame before sealing; above `FrameLimits.frameMax` it counts as that.
    ///   - runs: one signature for messages that follow each other, as `FrameCodec.encode` says.
    ///   - known: chains that the receiver knows from earlier frames; nil: none.
    /// - Returns: `count` 0 when not even the first item fits: it needs a larger frame or has to be split.
    /// - Throws: `ProtocolError` 2001 when the frame does not fit without any item, or the first item is beyond
    ///   `FrameLimits`; 9000 when a value is out of range.
    public static func pack(
        _ frame: Frame, limit: ByteCount, runs: Bool = false, known: KnownChains? = nil
    ) throws(ProtocolError) -> Packed {
        let limit = min(limit.bytes, FrameLimits.frameMax)
        let prepared = try prepare(frame.items, limit: limit, runs: runs)
        var search = PackingSearch(limit: limit, most: prepared.count)
        var best: Packed?
        while let count = search.next() {
            let (bytes, contexts) = try encode(prepared.prefix(count), of: frame, runs, known)
            search.learn(count: count, bytes: bytes.count)
            if bytes.count <= limit { best = Packed(count: count, bytes: bytes, contexts: contexts) }
        }
        guard let best else {
            let least = try encode([], of: frame, runs, nil).bytes
            throw .tooLarge(
                "the acknowledgements do not fit into the frame", actual: least.count, firstRefused: limit + 1)
        }
        return best
    }

    private static func encode(
        _ items: ArraySlice<PreparedItem>, of frame: Frame, _ runs: Bool, _ known: KnownChains?
    ) throws(ProtocolError) -> (bytes: [UInt8], contexts: FrameContexts) {
        var head = frame
        head.hasMore = frame.hasMore || items.count < frame.items.count
        return try FrameCodec.encode(items, of: head, runs: runs, known: known)
    }

    /// Takes items as long as what cannot be compressed, and their number and size, leave room.
    private static func prepare(
        _ items: [BatchItem], limit: Int, runs: Bool
    ) throws(ProtocolError) -> [PreparedItem] {
        var prepared: [PreparedItem] = []
        var least = 0
        var total = 0
        for item in items.prefix(FrameLimits.itemsMax) {
            let next: PreparedItem
            do { next = try PreparedItem(item) } catch {
                // The items before it still go; it fails when it comes first.
                if prepared.isEmpty { throw error }
                break
            }
            least += next.least(runs: runs)
            total += item.body.count
            if least > limit || total > FrameLimits.bodiesMax { break }
            prepared.append(next)
        }
        return prepared
    }
}

/// Seeks the greatest count whose frame fits, with few tries: by the mean size of what was tried, then by halving.
struct PackingSearch {
    private let limit: Int
    /// The greatest count that is known to fit; -1 before any is known.
    private var fits = -1
    private var fitsBytes = 0
    /// The least count that is known not to fit.
    private var tooMany: Int
    private var tooManyBytes: Int?
    private var tries = 0

    init(limit: Int, most: Int) {
        self.limit = limit
        tooMany = most + 1
    }

    /// The next count to try; nil when the answer is known.
    mutating func next() -> Int? {
        guard tooMany - fits > 1 else { return nil }
        tries += 1
        let middle = fits + (tooMany - fits) / 2
        guard let tooManyBytes else { return tries == 1 ? tooMany - 1 : middle }
        // After a few guesses halving bounds the number of tries.
        guard tries < 6, tooManyBytes > fitsBytes, fits >= 0 else { return tries == 2 ? guess(tooManyBytes) : middle }
        let share = Double(limit - fitsBytes) / Double(tooManyBytes - fitsBytes)
        let step = Int(share * Double(tooMany - fits))
        return min(max(fits + step, fits + 1), tooMany - 1)
    }

    private func guess(_ bytes: Int) -> Int {
        min(max(tooMany * limit / max(bytes, 1), fits + 1), tooMany - 1)
    }

    mutating func learn(count: Int, bytes: Int) {
        if bytes <= limit {
            fits = count
            fitsBytes = bytes
        } else {
            tooMany = count
            tooManyBytes = bytes
        }
    }
}
