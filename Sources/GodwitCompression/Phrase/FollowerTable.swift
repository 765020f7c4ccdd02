/// The read-only table of a model: for hashed contexts, which bytes followed and how often.
///
/// Contexts lie in buckets by their hash; a bucket is a string of bits. docs/phrase-model.md has the layout.
struct FollowerTable {
    static let checkBits = 11
    /// Bits of a hash: its check is the lowest 11, its bucket follows from the upper 29.
    static let hashBits = 40
    /// Buckets that share a base.
    static let group = 32
    static let ranks = 31
    static let riceBits = 9
    /// Bits of a bucket's count of contexts.
    static let countBits = 4
    /// Bytes behind the buckets that may be read but mean nothing.
    static let slack = 16

    let data: UnsafePointer<UInt8>
    let bases: UnsafePointer<UInt32>
    let offsets: UnsafePointer<UInt16>
    let buckets: Int
    /// Bits in all buckets.
    let bits: Int
    /// 31 likely followers of each byte.
    let ranks: UnsafePointer<UInt8>
    /// Decoding tables: a level after each level or at the start, then the rank of a first and of a later follower.
    let levelCodes: UnsafePointer<UInt16>
    let rankCodes: UnsafePointer<UInt16>
    let levelValues: UnsafePointer<UInt16>

    @inline(__always)
    static func bucket(of hash: UInt64, of buckets: Int) -> Int {
        Int(truncatingIfNeeded: ((hash >> UInt64(checkBits)) &* UInt64(truncatingIfNeeded: buckets)) >> 29)
    }

    /// 57 bits or more from `position` on, uppermost first.
    @inline(__always)
    private func peek(_ position: Int) -> UInt64 {
        UnsafeRawPointer(data + (position >> 3)).loadUnaligned(as: UInt64.self).bigEndian << UInt64(position & 7)
    }

    @inline(__always)
    private func start(_ bucket: Int) -> Int {
        min(
            Int(UInt32(littleEndian: bases[bucket / Self.group])) &+ Int(UInt16(littleEndian: offsets[bucket])), bits)
    }

    /// Where a hash's bucket begins and ends. Asked for all contexts before any is read, so that memory answers while
    /// others are asked.
    @inline(__always)
    func span(_ hash: UInt64) -> (start: Int, end: Int) {
        let bucket = Self.bucket(of: hash, of: buckets)
        return (start(bucket), start(bucket &+ 1))
    }

    /// The first bits of a bucket.
    @inline(__always)
    func head(_ start: Int) -> UInt64 { peek(start) }

    /// Finds what followed the context.
    ///
    /// - Parameters:
    ///   - head, span: of the hash.
    ///   - after: the byte before, by which followers are ranked.
    ///   - symbols, weights: room for 32 followers.
    /// - Returns: how many followers there are and the class of those left out; nil when the context is not listed.
    @inline(__always)
    func find(
        _ hash: UInt64, head: UInt64, span: (start: Int, end: Int), after: Int, symbols: UnsafeMutablePointer<UInt8>,
        weights: UnsafeMutablePointer<UInt16>
    ) -> (count: Int, residual: Int)? {
        let check = Int(truncatingIfNeeded: hash & (1 << UInt64(Self.checkBits) &- 1))
        var position = span.start
        let end = span.end
        guard position < end else { return nil }
        let listed = Int(truncatingIfNeeded: head >> UInt64(64 &- Self.countBits))
        position &+= Self.countBits
        var current = -1
        var wanted = -1
        for index in 0..<listed {
            let bits = peek(position)
            let quotient = min(bits.leadingZeroBitCount, 16)
            let rest = Int(truncatingIfNeeded: (bits << UInt64(quotient &+ 1)) >> UInt64(64 &- Self.riceBits))
            position &+= quotient &+ 1 &+ Self.riceBits
            current &+= 1 &+ (quotient << Self.riceBits | rest)
            if current >= check {
                guard current == check else { return nil }
                wanted = index
                // The other checks, which lead to the lists.
                for _ in index &+ 1..<listed {
                    guard position < end else { return nil }
                    position &+= min(peek(position).leadingZeroBitCount, 16) &+ 1 &+ Self.riceBits
                }
                break
            }
            guard position < end else { return nil }
        }
        guard wanted >= 0 else { return nil }
        for _ in 0..<wanted { position = skip(position, end) }
        return read(position, end, after, symbols, weights)
    }

    @inline(__always)
    private func skip(_ start: Int, _ end: Int) -> Int {
        var position = start
        var state = 0
        var rankTable = rankCodes
        while position < end {
            let bits = peek(position)
            let level = levelCodes[state << 10 | Int(truncatingIfNeeded: bits >> 54)]
            let length = UInt64(level & 15)
            position &+= Int(length)
            let symbol = Int(level >> 4)
            if symbol >= PhraseLevels.count { break }
            let rank = rankTable[Int(truncatingIfNeeded: (bits << length) >> 54)]
            position &+= Int(rank & 15) &+ (rank >> 4 == Self.ranks ? 8 : 0)
            rankTable = rankCodes + 1024
            state = symbol &+ 1
        }
        return position
    }

    @inline(__always)
    private func read(
        _ start: Int, _ end: Int, _ after: Int, _ symbols: UnsafeMutablePointer<UInt8>,
        _ weights: UnsafeMutablePointer<UInt16>
    ) -> (count: Int, residual: Int) {
        var position = start
        var state = 0
        var count = 0
        var rankTable = rankCodes
        while position < end, count < PhraseLevels.followersMax {
            let bits = peek(position)
            let level = levelCodes[state << 10 | Int(truncatingIfNeeded: bits >> 54)]
            let length = UInt64(level & 15)
            position &+= Int(length)
            let symbol = Int(level >> 4)
            if symbol >= PhraseLevels.count { return (count, min(symbol &- PhraseLevels.count, 3)) }
            let rank = rankTable[Int(truncatingIfNeeded: (bits << length) >> 54)]
            let rankLength = UInt64(rank & 15)
            position &+= Int(rankLength)
            if rank >> 4 == Self.ranks {
                symbols[count] = UInt8(truncatingIfNeeded: (bits << (length &+ rankLength)) >> 56)
                position &+= 8
            } else {
                symbols[count] = ranks[after &* Self.ranks &+ Int(rank >> 4)]
            }
            weights[count] = levelValues[symbol]
            rankTable = rankCodes + 1024
            count &+= 1
            state = symbol &+ 1
        }
        return (count, 3)
    }
}
