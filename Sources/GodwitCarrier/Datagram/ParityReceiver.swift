/// The receiving end of parity within an exchange (docs/protocol.md §8.2, *Parity*): keeps what came of late, and rebuilds
/// what is missing as soon as parity for it is there.
struct ParityReceiver: Sendable {
    /// What a datagram carried of the stream.
    struct Content: Sendable, Hashable {
        var number: Int
        var chunks: [Datagram.Chunk]
        var ends: Bool

        var size: Int { chunks.reduce(ParitySymbol.overhead) { $0 + $1.bytes.count + 10 } }
    }
    private struct Group: Sendable {
        var last: Int
        var map: UInt64
        var size: Int
        var rows: [Int: [UInt8]]

        func covers(_ number: Int) -> Bool {
            let below = last - number
            return (0..<64).contains(below) && map >> UInt64(below) & 1 == 1
        }
    }

    /// Bytes of datagrams that are kept, and bytes of parity that waits for more of it; beyond that the oldest goes.
    static let bytesMax = 65_536
    /// Groups that wait for more parity.
    static let groupsMax = 4

    private var kept: [Int: Content] = [:]
    private(set) var keptBytes = 0
    private var groups: [Group] = []

    var waitingBytes: Int { groups.reduce(0) { $0 + $1.size * $1.rows.count } }
    var waitingGroups: Int { groups.count }

    /// Takes what came.
    /// - Parameter largest: the largest number that has come.
    /// - Returns: what can be rebuilt with it.
    mutating func keep(_ content: Content, largest: Int, of owner: ParitySymbol.Owner) -> [Content] {
        store(content, largest: largest)
        return rebuild(from: groups.filter { $0.covers(content.number) }, largest: largest, of: owner)
    }

    /// Takes parity. What contradicts what is known of its group takes that one's place.
    mutating func take(_ parity: DatagramParity, largest: Int, of owner: ParitySymbol.Owner) -> [Content] {
        let index = groups.firstIndex { $0.last == parity.last && $0.map == parity.map }
        var group = Group(last: parity.last, map: parity.map, size: parity.symbol.count, rows: [:])
        if let index {
            let before = groups.remove(at: index)
            if before.size == group.size { group = before }
        }
        guard group.rows[parity.row] == nil else {
            groups.append(group)
            return []
        }
        group.rows[parity.row] = parity.symbol
        // Nothing is missing: nothing is kept.
        guard parity.covered.contains(where: { kept[$0] == nil }) else { return [] }
        groups.append(group)
        return rebuild(from: [group], largest: largest, of: owner)
    }

    private mutating func rebuild(
        from candidates: [Group], largest: Int, of owner: ParitySymbol.Owner
    ) -> [Content] {
        var rebuilt: [Content] = []
        for group in candidates {
            let numbers = (0..<64).reversed().map { group.last - $0 }.filter { group.covers($0) }
            var known: [Int: [UInt8]] = [:]
            for (place, number) in numbers.enumerated() {
                guard let content = kept[number] else { continue }
                known[place] = ParitySymbol.bytes(content.chunks, ends: content.ends, number: number, of: owner)
            }
            let missing = numbers.count - known.count
            guard missing <= group.rows.count else { continue }
            groups.removeAll { $0.last == group.last && $0.map == group.map }
            // Another size than that of the largest symbol: no sender means that.
            guard missing > 0, known.values.allSatisfy({ $0.count <= group.size }) else { continue }
            let code = ErasureCode(dataCount: numbers.count)
            let symbols = code.recover(known: known, parity: group.rows, size: group.size) ?? [:]
            // All or none: one that is wrong shows that what they were made from was.
            let contents = symbols.keys.sorted().compactMap { place in
                ParitySymbol.open(symbols[place] ?? [], number: numbers[place], of: owner)
                    .map { Content(number: numbers[place], chunks: $0.chunks, ends: $0.ends) }
            }
            guard contents.count == symbols.count else { continue }
            rebuilt += contents
            for content in contents { store(content, largest: largest) }
        }
        trim(largest)
        return rebuilt
    }

    private mutating func store(_ content: Content, largest: Int) {
        guard kept[content.number] == nil, content.number > largest - DatagramParity.reach - 1 else { return }
        kept[content.number] = content
        keptBytes += content.size
        trim(largest)
    }

    private mutating func trim(_ largest: Int) {
        let floor = largest - DatagramParity.reach
        groups.removeAll { $0.last < floor }
        while let oldest = kept.keys.min(), oldest < floor || keptBytes > Self.bytesMax {
            keptBytes -= kept.removeValue(forKey: oldest)?.size ?? 0
        }
        while groups.count > Self.groupsMax || waitingBytes > Self.bytesMax { groups.removeFirst() }
    }
}
