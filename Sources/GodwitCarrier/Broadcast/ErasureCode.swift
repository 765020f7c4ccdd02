/// A systematic Reed-Solomon code for symbols that are lost, not garbled (docs/protocol.md §8.4): `dataCount` data
/// symbols go as they are, and parity symbols beside them; any `dataCount` of all these give back the data.
///
/// The rows are those of a Cauchy matrix, all of whose square parts can be inverted. A row does not depend on how many
/// there are, so a sender makes as many as a link calls for.
struct ErasureCode: Sendable, Hashable {
    /// Data and parity symbols of one block: the field has 256 values, and every symbol needs one of its own.
    static let symbolsMax = 255

    /// 1 to 255.
    let dataCount: Int

    init(dataCount: Int) {
        precondition((1...Self.symbolsMax).contains(dataCount), "a block has 1 to 255 data symbols")
        self.dataCount = dataCount
    }

    var parityMax: Int { Self.symbolsMax - dataCount }

    private func coefficient(_ row: Int, _ column: Int) -> UInt8 {
        GaloisField.inverse(UInt8(dataCount + row) ^ UInt8(column))
    }

    /// Parity symbol number `row`, 0 to `parityMax - 1`.
    /// - Parameter data: all data symbols; one that is shorter than `size` counts as if zero bytes followed it.
    func parity(_ row: Int, of data: [[UInt8]], size: Int) -> [UInt8] {
        precondition((0..<parityMax).contains(row) && data.count == dataCount, "no such symbol of the block")
        var symbol = [UInt8](repeating: 0, count: size)
        for (column, bytes) in data.enumerated() {
            GaloisField.add(bytes, times: coefficient(row, column), to: &symbol)
        }
        return symbol
    }

    /// The data symbols that are not known, by their place, each of `size` bytes; nil where too few symbols came.
    ///
    /// Costs, for e lost symbols, e products of whole symbols for each of the `dataCount`.
    /// - Parameters:
    ///   - known: data symbols by their place.
    ///   - parity: parity symbols by their row, each of `size` bytes.
    func recover(known: [Int: [UInt8]], parity: [Int: [UInt8]], size: Int) -> [Int: [UInt8]]? {
        let lost = (0..<dataCount).filter { known[$0] == nil }
        let rows = parity.keys.sorted().prefix(lost.count)
        guard rows.count == lost.count else { return nil }
        // What the lost symbols add to each parity symbol: the rest is taken off.
        var sums = rows.map { row in
            var sum = parity[row] ?? []
            for (column, bytes) in known { GaloisField.add(bytes, times: coefficient(row, column), to: &sum) }
            return sum
        }
        var matrix = rows.map { row in lost.map { coefficient(row, $0) } }
        // Every square part of the matrix can be inverted, so no pivot is ever 0.
        for pivot in lost.indices {
            let scale = GaloisField.inverse(matrix[pivot][pivot])
            GaloisField.scale(&matrix[pivot], by: scale)
            GaloisField.scale(&sums[pivot], by: scale)
            for other in lost.indices where other != pivot {
                let factor = matrix[other][pivot]
                GaloisField.add(matrix[pivot], times: factor, to: &matrix[other])
                GaloisField.add(sums[pivot], times: factor, to: &sums[other])
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(lost, sums))
    }
}
