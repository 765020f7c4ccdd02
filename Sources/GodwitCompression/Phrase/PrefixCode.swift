/// A canonical prefix code of at most 10 bits a symbol, made from counts or from lengths.
struct PrefixCode: Sendable {
    static let lengthMax = 10

    /// Bits of each symbol; 0: the symbol does not occur.
    let lengths: [UInt8]
    /// Code words, by symbol.
    let words: [UInt16]

    /// Nil when the lengths are no complete or empty code.
    init?(lengths: [UInt8]) {
        var total = 0
        for length in lengths where length > 0 {
            guard length <= Self.lengthMax else { return nil }
            total += 1 << (Self.lengthMax - Int(length))
        }
        guard total <= 1 << Self.lengthMax else { return nil }
        self.lengths = lengths
        var words = [UInt16](repeating: 0, count: lengths.count)
        var word = 0
        for length in 1...UInt8(Self.lengthMax) {
            for symbol in lengths.indices where lengths[symbol] == length {
                words[symbol] = UInt16(word)
                word += 1
            }
            word <<= 1
        }
        self.words = words
    }

    /// The best code for these counts; every symbol gets a word, so that tables of other texts can be written with it.
    init?(counts: [Int]) {
        var scale = 0
        while true {
            let weights = counts.map { max(1, $0 >> scale) }
            let lengths = Self.huffman(weights)
            if lengths.allSatisfy({ $0 <= Self.lengthMax }) {
                self.init(lengths: lengths)
                return
            }
            scale += 1
        }
    }

    /// Lengths of Huffman's code; ties go to the lower index, so the outcome is fixed.
    private static func huffman(_ weights: [Int]) -> [UInt8] {
        guard weights.count > 1 else { return weights.map { _ in 1 } }
        var parents = [Int](repeating: -1, count: weights.count)
        var nodes = weights
        var open = Array(weights.indices)
        while open.count > 1 {
            open.sort { (nodes[$0], $0) > (nodes[$1], $1) }
            let (a, b) = (open.removeLast(), open.removeLast())
            nodes.append(nodes[a] + nodes[b])
            parents.append(-1)
            parents[a] = nodes.count - 1
            parents[b] = nodes.count - 1
            open.append(nodes.count - 1)
        }
        return weights.indices.map { index in
            var depth: UInt8 = 0
            var node = index
            while parents[node] >= 0 {
                node = parents[node]
                depth += 1
            }
            return depth
        }
    }

    /// Fills a table of 1,024 entries: symbol in the upper bits, length in the lower four. Words that stand for nothing
    /// read as symbol 0 of 10 bits.
    func fill(_ table: UnsafeMutablePointer<UInt16>) {
        table.update(repeating: UInt16(Self.lengthMax), count: 1 << Self.lengthMax)
        for symbol in lengths.indices where lengths[symbol] > 0 {
            let length = Int(lengths[symbol])
            let span = 1 << (Self.lengthMax - length)
            let first = Int(words[symbol]) * span
            let entry = UInt16(symbol << 4 | length)
            for index in first..<first + span { table[index] = entry }
        }
    }
}
