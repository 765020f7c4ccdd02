/// How an object is cut into symbols and blocks (docs/protocol.md §8.4).
///
/// Data symbols are numbered in the order of the object's bytes, parity symbols go on from there. Neighbours are always of
/// different blocks, so that a burst of losses spreads over all of them.
struct BroadcastLayout: Sendable, Hashable {
    /// Bytes of an object.
    static let lengthMax = 1_048_576
    /// Bytes of a symbol.
    static let symbolMax = 8_192
    /// Data symbols of an object.
    static let symbolsMax = 4_096

    /// A symbol within its block: data symbols come first, parity symbols from the number of data symbols on.
    struct Place: Sendable, Hashable {
        var block: Int
        var index: Int
    }

    let length: Int
    let symbolSize: Int
    let blocks: Int

    /// nil beyond a limit, for symbols larger than the object, and for a block without or with too many data symbols.
    init?(length: Int, symbolSize: Int, blocks: Int) {
        guard (1...Self.lengthMax).contains(length), (1...Self.symbolMax).contains(symbolSize), symbolSize <= length
        else { return nil }
        let count = (length + symbolSize - 1) / symbolSize
        guard count <= Self.symbolsMax, (1...count).contains(blocks),
            (count + blocks - 1) / blocks <= ErasureCode.symbolsMax
        else { return nil }
        (self.length, self.symbolSize, self.blocks) = (length, symbolSize, blocks)
    }

    var dataCount: Int { (length + symbolSize - 1) / symbolSize }

    func dataCount(of block: Int) -> Int { (dataCount - block + blocks - 1) / blocks }

    /// nil beyond the 255 symbols of a block.
    func place(of number: Int) -> Place? {
        guard number >= 0, number / blocks < ErasureCode.symbolsMax else { return nil }
        return Place(block: number % blocks, index: number / blocks)
    }

    /// Number of a data symbol.
    func number(of index: Int, in block: Int) -> Int { block + index * blocks }

    /// Bytes of the object that a data symbol holds.
    func range(of number: Int) -> Range<Int> {
        number * symbolSize..<min((number + 1) * symbolSize, length)
    }

    /// Bytes of a symbol as it is sent: the last data symbol may be shorter.
    func size(of number: Int) -> Int { number < dataCount ? range(of: number).count : symbolSize }
}
