/// Says of an id that an era surely does not hold it, so that its tree need not be asked (a Bloom filter of one word a
/// key: Putze, Sanders and Singler 2007).
///
/// Ids are hashes, so their own bits serve as the filter's hashes. Whoever makes ids that meet in one word makes look-ups
/// slower, never wrong.
struct EraFilter: Equatable {
    /// Words of the smallest filter: 64 KiB, for 16,384 ids at 32 bits each.
    static let wordsMin = 8_192

    /// A power of two.
    private(set) var words: [UInt64]

    /// Where an id is noted: the same in every filter.
    struct Key {
        let place: UInt64
        let bits: UInt64

        init(_ id: ItemID) {
            (place, bits) = id.bytes.withUnsafeBytes { bytes in
                let pattern = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                let bits = (0..<6).reduce(UInt64(0)) { $0 | 1 << (pattern >> (6 * $1) & 63) }
                return (bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self), bits)
            }
        }
    }

    /// - Parameter count: ids that it is made for; more only make it ask the tree more often.
    init(count: Int) {
        var size = Self.wordsMin
        while size < count / 2 { size *= 2 }
        words = [UInt64](repeating: 0, count: size)
    }

    /// Reads what `bytes` gives; nil if that is none.
    init?(bytes: UnsafeRawBufferPointer) {
        let count = bytes.count / 8
        guard count >= 1, bytes.count == count * 8, count & (count - 1) == 0 else { return nil }
        words = (0..<count).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
    }

    /// As it is stored: words with the lowest byte first.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.count * 8)
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
        return bytes
    }

    mutating func insert(_ key: Key) { words[Int(truncatingIfNeeded: key.place) & (words.count - 1)] |= key.bits }

    /// False: it was surely never inserted.
    func mayHold(_ key: Key) -> Bool {
        words[Int(truncatingIfNeeded: key.place) & (words.count - 1)] & key.bits == key.bits
    }
}
