/// Writes the table of a model: codes that fit the entries, then buckets.
struct FollowerWriter {
    static let perBucket = 4

    let ranks: [UInt8]
    private let rankOf: [UInt8]
    private let levelCodes: [PrefixCode]
    private let rankCodes: [PrefixCode]
    private var bits = BitWriter()
    private var bases: [UInt32] = []
    private var offsets: [UInt16] = []
    /// Entries that had no place: another has the same hash, or their group was full.
    private(set) var dropped = 0

    /// Nil when the counts give no codes, which cannot be.
    init?(_ all: FollowerEntries, chosen: [Int], ranks: [UInt8]) {
        self.ranks = ranks
        var rankOf = [UInt8](repeating: UInt8(FollowerTable.ranks), count: 65_536)
        for after in 0..<256 {
            for rank in (0..<FollowerTable.ranks).reversed() {
                rankOf[after << 8 | Int(ranks[after * FollowerTable.ranks + rank])] = UInt8(rank)
            }
        }
        self.rankOf = rankOf
        var levelCounts = [[Int]](
            repeating: .init(repeating: 0, count: PhraseLevels.symbols), count: PhraseLevels.count + 1)
        var rankCounts = [[Int]](repeating: .init(repeating: 0, count: FollowerTable.ranks + 1), count: 2)
        for index in chosen {
            let entry = all.entries[index]
            var state = 0
            for follower in 0..<Int(entry.count) {
                let value = Int(all.followers[Int(entry.first) + follower])
                levelCounts[state][value >> 8] += 1
                rankCounts[min(follower, 1)][Int(rankOf[Int(entry.after) << 8 | value & 0xFF])] += 1
                state = value >> 8 + 1
            }
            levelCounts[state][PhraseLevels.count + Int(entry.residual)] += 1
        }
        let codes = (levelCounts + rankCounts).compactMap(PrefixCode.init(counts:))
        guard codes.count == levelCounts.count + 2 else { return nil }
        levelCodes = Array(codes.dropLast(2))
        rankCodes = Array(codes.suffix(2))
    }

    /// The body of a model file.
    mutating func body(_ all: FollowerEntries, chosen: [Int], weights: PhraseWeights) -> [UInt8] {
        let buckets = max(1, chosen.count / Self.perBucket)
        func place(_ index: Int) -> (Int, UInt64) {
            let hash = all.entries[index].hash
            return (FollowerTable.bucket(of: hash, of: buckets), hash & (1 << UInt64(FollowerTable.checkBits) - 1))
        }
        let placed = chosen.map { (place: place($0), index: $0) }.sorted {
            ($0.place.0, $0.place.1, all.entries[$1.index].worth, $0.index)
                < ($1.place.0, $1.place.1, all.entries[$0.index].worth, $1.index)
        }
        var next = 0
        for bucket in 0..<buckets {
            openBucket(bucket)
            var listed: [(check: Int, index: Int)] = []
            while next < placed.count, placed[next].place.0 == bucket {
                let (place, index) = placed[next]
                next += 1
                if listed.last?.check == Int(place.1) || listed.count == 1 << FollowerTable.countBits - 1 {
                    dropped += 1
                } else {
                    listed.append((Int(place.1), index))
                }
            }
            write(listed, of: all)
        }
        openBucket(buckets)
        return assemble(buckets: buckets, weights: weights)
    }

    private mutating func openBucket(_ bucket: Int) {
        if bucket % FollowerTable.group == 0 { bases.append(UInt32(bits.count)) }
        offsets.append(UInt16(truncatingIfNeeded: bits.count - Int(bases[bases.count - 1])))
    }

    private mutating func write(_ listed: [(check: Int, index: Int)], of all: FollowerEntries) {
        // A group is as long as its offsets reach; an entry has at most 1,000 bits.
        guard !listed.isEmpty, bits.count - Int(bases[bases.count - 1]) + 1000 * listed.count < 65_536 else {
            dropped += listed.count
            return
        }
        bits.append(listed.count, count: FollowerTable.countBits)
        var previous = -1
        for (check, _) in listed {
            let delta = check - previous - 1
            bits.append(1, count: delta >> FollowerTable.riceBits + 1)
            bits.append(delta & (1 << FollowerTable.riceBits - 1), count: FollowerTable.riceBits)
            previous = check
        }
        for (_, index) in listed { write(all, all.entries[index]) }
    }

    private mutating func write(_ all: FollowerEntries, _ entry: FollowerEntry) {
        var state = 0
        for follower in 0..<Int(entry.count) {
            let value = Int(all.followers[Int(entry.first) + follower])
            bits.append(levelCodes[state], value >> 8)
            let rank = Int(rankOf[Int(entry.after) << 8 | value & 0xFF])
            bits.append(rankCodes[min(follower, 1)], rank)
            if rank == FollowerTable.ranks { bits.append(value & 0xFF, count: 8) }
            state = value >> 8 + 1
        }
        bits.append(levelCodes[state], PhraseLevels.count + Int(entry.residual))
    }

    private func assemble(buckets: Int, weights: PhraseWeights) -> [UInt8] {
        let image = PhraseImage(buckets: buckets, bits: bits.count)
        var body: [UInt8] = []
        body.reserveCapacity(image.end)
        func append<Number: FixedWidthInteger>(_ number: Number) {
            withUnsafeBytes(of: number.littleEndian) { body.append(contentsOf: $0) }
        }
        for number in [buckets, bits.count, weights.rate, 0] { append(UInt32(number)) }
        for values in weights.all {
            for value in values { append(value) }
        }
        for code in levelCodes + rankCodes { body.append(contentsOf: code.lengths) }
        body.append(contentsOf: ranks)
        body.append(contentsOf: repeatElement(0, count: image.bases - body.count))
        for base in bases { append(base) }
        for offset in offsets { append(offset) }
        body.append(contentsOf: repeatElement(0, count: image.data - body.count))
        body.append(contentsOf: bits.bytes)
        body.append(contentsOf: repeatElement(0, count: image.end - body.count))
        return body
    }
}

/// Bits, uppermost first.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ value: Int, count width: Int) {
        for shift in stride(from: width - 1, through: 0, by: -1) {
            if count % 8 == 0 { bytes.append(0) }
            if value >> shift & 1 == 1 { bytes[count / 8] |= 0x80 >> UInt8(count % 8) }
            count += 1
        }
    }

    mutating func append(_ code: PrefixCode, _ symbol: Int) {
        append(Int(code.words[symbol]), count: Int(code.lengths[symbol]))
    }
}
