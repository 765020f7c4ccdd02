import Crypto
import GodwitBatch
import GodwitProtocol

/// Some records as the datagrams of one object (docs/protocol.md §8.4).
struct BroadcastObject: Sendable {
    let id: UInt64
    let layout: BroadcastLayout
    /// Parity symbols of each block.
    let rows: Int
    /// Data symbols in the order of the object's bytes.
    private let data: [[UInt8]]
    /// For each of them where the first record begins in it.
    private let firsts: [Int]

    static func id(of bytes: [UInt8]) -> UInt64 {
        SHA256.hash(data: bytes).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// - Parameters:
    ///   - records: together at most `BroadcastLayout.lengthMax` bytes, lengths included.
    ///   - blocks: nil: as few as the redundancy lets be.
    ///   - redundancy: parity symbols for each data symbol, rounded up for each block.
    init?(_ records: [[UInt8]], symbolSize: Int, blocks: Int? = nil, redundancy: Double) {
        var (bytes, starts) = ([UInt8](), [Int]())
        for record in records {
            starts.append(bytes.count)
            bytes += ExchangeWriter.frame(record)
        }
        guard symbolSize > 0, !bytes.isEmpty else { return nil }
        let count = (bytes.count + symbolSize - 1) / symbolSize
        let most = Self.dataMax(redundancy)
        // Symbols of one size, so that little of the last is filled up.
        let size = (bytes.count + count - 1) / count
        guard
            let layout = BroadcastLayout(
                length: bytes.count, symbolSize: size, blocks: blocks ?? (count + most - 1) / most)
        else { return nil }
        let largest = layout.dataCount(of: 0)
        rows = min(Self.rows(for: largest, redundancy), ErasureCode.symbolsMax - largest)
        id = Self.id(of: bytes)
        data = (0..<layout.dataCount).map { Array(bytes[layout.range(of: $0)]) }
        var firsts = data.map(\.count)
        for start in starts.reversed() { firsts[start / size] = start % size }
        self.firsts = firsts
        self.layout = layout
    }

    private static func rows(for count: Int, _ redundancy: Double) -> Int {
        // What is a whole number but for the last bits of a product is one.
        Int((Double(count) * redundancy - 1e-9).rounded(.up))
    }

    /// Data symbols that leave a block room for their parity.
    private static func dataMax(_ redundancy: Double) -> Int {
        (1...ErasureCode.symbolsMax).last { $0 + rows(for: $0, redundancy) <= ErasureCode.symbolsMax } ?? 1
    }

    var count: Int { layout.dataCount + rows * layout.blocks }

    /// Datagram number `number`, below `count`.
    func datagram(_ number: Int) -> BroadcastDatagram {
        guard number >= layout.dataCount else {
            return BroadcastDatagram(
                id: id, layout: layout, number: number, first: firsts[number], bytes: data[number])
        }
        let block = number % layout.blocks
        let mine = stride(from: block, to: data.count, by: layout.blocks).map { data[$0] }
        return BroadcastDatagram(
            id: id, layout: layout, number: number, first: nil,
            bytes: ErasureCode(dataCount: mine.count).parity(
                number / layout.blocks - mine.count, of: mine, size: layout.symbolSize))
    }
}

extension BroadcastObject {
    /// Puts records into objects in their order.
    ///
    /// - Parameters:
    ///   - payloadMax: bytes of the largest datagram.
    ///   - length: bytes of an object, unless a record needs more.
    /// - Throws: `ProtocolError` 2001 for a record that fits no object of such datagrams.
    static func pack(
        _ records: [[UInt8]], payloadMax: Int, length: Int, redundancy: Double
    ) throws(ProtocolError) -> [BroadcastObject] {
        let size = min(payloadMax - BroadcastDatagram.headerMax, BroadcastLayout.symbolMax)
        let most = min(BroadcastLayout.lengthMax, max(size, 0) * BroadcastLayout.symbolsMax)
        var objects: [BroadcastObject] = []
        var (waiting, bytes) = ([[UInt8]](), 0)
        func close() {
            if let object = BroadcastObject(waiting, symbolSize: size, redundancy: redundancy) {
                objects.append(object)
            }
            (waiting, bytes) = ([], 0)
        }
        for record in records {
            let framed = ExchangeWriter.frame(record).count
            guard framed <= most else {
                throw ProtocolError(
                    .messageTooLarge, "A frame does not fit into so small datagrams.",
                    hint: "Give the peer a profile with a larger mtu.",
                    details: ["max_size": .integer(Int64(most + 1)), "actual_size": .integer(Int64(framed))])
            }
            if bytes > 0, bytes + framed > min(length, most) { close() }
            waiting.append(record)
            bytes += framed
        }
        if bytes > 0 { close() }
        return objects
    }
}
