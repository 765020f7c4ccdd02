/// Followers of contexts that were looked up lately, ready for use. Whatever it holds, the answers are the table's.
struct RecentFollowers {
    private static let slots = 1 << 11
    private static let room = PhraseLevels.followersMax
    private static let mark: UInt64 = 1 << 63

    /// The hash with `mark`, or 0.
    private let hashes: UnsafeMutablePointer<UInt64>
    private let symbols: UnsafeMutablePointer<UInt8>
    private let weights: UnsafeMutablePointer<UInt16>
    /// Count in the lower bits, the class of those left out above.
    private let shapes: UnsafeMutablePointer<UInt16>

    init() {
        hashes = .allocate(capacity: Self.slots)
        hashes.initialize(repeating: 0, count: Self.slots)
        symbols = .allocate(capacity: Self.slots * Self.room)
        symbols.initialize(repeating: 0, count: Self.slots * Self.room)
        weights = .allocate(capacity: Self.slots * Self.room)
        weights.initialize(repeating: 0, count: Self.slots * Self.room)
        shapes = .allocate(capacity: Self.slots)
        shapes.initialize(repeating: 0, count: Self.slots)
    }

    func deallocate() {
        hashes.deallocate()
        symbols.deallocate()
        weights.deallocate()
        shapes.deallocate()
    }

    @inline(__always)
    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 17) & (slots &- 1) }

    @inline(__always)
    func read(
        _ hash: UInt64, _ symbols: UnsafeMutablePointer<UInt8>, _ weights: UnsafeMutablePointer<UInt16>
    ) -> (count: Int, residual: Int)? {
        let slot = Self.slot(hash)
        guard hashes[slot] == hash | Self.mark else { return nil }
        let count = Int(shapes[slot] & 0xFF)
        symbols.update(from: self.symbols + slot &* Self.room, count: count)
        weights.update(from: self.weights + slot &* Self.room, count: count)
        return (count, Int(shapes[slot] >> 8))
    }

    @inline(__always)
    func write(
        _ hash: UInt64, _ symbols: UnsafeMutablePointer<UInt8>, _ weights: UnsafeMutablePointer<UInt16>,
        _ found: (count: Int, residual: Int)
    ) {
        let slot = Self.slot(hash)
        hashes[slot] = hash | Self.mark
        shapes[slot] = UInt16(truncatingIfNeeded: found.residual << 8 | found.count)
        (self.symbols + slot &* Self.room).update(from: symbols, count: found.count)
        (self.weights + slot &* Self.room).update(from: weights, count: found.count)
    }
}
