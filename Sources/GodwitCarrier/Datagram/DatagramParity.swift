import GodwitBatch
import GodwitProtocol

/// A parity symbol over some datagrams of an exchange (docs/protocol.md §8.2, *Parity*): with as many of them as are
/// missing, the receiver rebuilds the missing ones without asking.
struct DatagramParity: Sendable, Hashable {
    /// Datagrams that one group covers.
    static let coveredMax = 32
    /// All covered numbers are among so many before the parity's own: further back a receiver keeps nothing.
    static let reach = 63
    static let rowsMax = 32
    /// Bytes of it beside the symbol where it covers up to 32 datagrams in a row: the distance, the map, the row, the share.
    static let headSize = 1 + 5 + 2

    /// The largest number that is covered.
    var last: Int
    /// Bit i: the number `last - i` is covered. Bit 0 is set, 1 to 32 bits are.
    var map: UInt64
    /// Row of the code, 0 to 31.
    var row: Int
    /// Parity for each hundred datagrams that the sender of this makes, and a caller wants back; 1 to 100.
    var share: Int
    var symbol: [UInt8]

    /// Covered numbers in ascending order: their places in the code.
    var covered: [Int] { (0..<64).reversed().compactMap { map >> UInt64($0) & 1 == 1 ? last - $0 : nil } }

    func encoded(in number: Int) -> [UInt8] {
        Varint.bytes(UInt64(number - last)) + Varint.bytes(map) + [UInt8(row), UInt8(share)] + symbol
    }

    init(last: Int, map: UInt64, row: Int, share: Int, symbol: [UInt8]) {
        self.last = last
        self.map = map
        self.row = row
        self.share = share
        self.symbol = symbol
    }

    /// Reads to the end of the datagram with this number; nil for what has not its one form.
    init?(_ reader: inout DatagramReader, in number: Int) {
        guard let distance = reader.value(in: 1...Self.reach), let map = reader.varint(), map & 1 == 1,
            map.nonzeroBitCount <= Self.coveredMax
        else { return nil }
        let depth = 63 - map.leadingZeroBitCount
        guard depth + distance <= min(Self.reach, number), let row = reader.value(in: 0...Self.rowsMax - 1),
            let share = reader.value(in: 1...100), reader.left >= ParitySymbol.sizeMin,
            let symbol = reader.take(reader.left)
        else { return nil }
        self.init(last: number - distance, map: map, row: row, share: share, symbol: symbol)
    }
}

/// What the code computes with for one datagram: its length and chunks, and a check that shows whether it was rebuilt right.
enum ParitySymbol {
    /// Bytes beside the chunks: length, head, check.
    static let overhead = 2 + 1 + 4
    /// The shortest: of an end without bytes.
    static let sizeMin = overhead + 1

    /// Whose datagram it is: part of the check, so that no other passes for it.
    struct Owner: Sendable, Hashable {
        var id: UInt32
        var isFromAnswerer: Bool

        fileprivate func check(_ body: some Sequence<UInt8>, _ number: Int) -> [UInt8] {
            let head = [isFromAnswerer ? 1 : 0] + Datagram.bytes(id) + Varint.bytes(UInt64(number))
            return Datagram.bytes(CRC32C.checksum(body, after: CRC32C.checksum(head)))
        }
    }

    static func bytes(_ chunks: [Datagram.Chunk], ends: Bool, number: Int, of owner: Owner) -> [UInt8] {
        let body = [UInt8(max(chunks.count - 1, 0)) << 1 | (ends ? 1 : 0)] + Datagram.bytes(chunks)
        return [UInt8(truncatingIfNeeded: body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
            + owner.check(body, number)
    }

    /// The chunks in a symbol that was rebuilt; nil where it is none: a symbol that it was made from was wrong.
    static func open(
        _ symbol: [UInt8], number: Int, of owner: Owner
    ) -> (chunks: [Datagram.Chunk], ends: Bool)? {
        guard symbol.count >= sizeMin else { return nil }
        let length = Int(symbol[0]) << 8 | Int(symbol[1])
        guard length >= 2, length + 6 <= symbol.count, symbol[(length + 6)...].allSatisfy({ $0 == 0 }) else {
            return nil
        }
        let body = symbol[2..<length + 2]
        guard owner.check(body, number) == Array(symbol[(length + 2)..<(length + 6)]), body[2] < 16 else { return nil }
        var reader = DatagramReader(body.dropFirst())
        let ends = body[2] & 1 == 1
        return Datagram.chunks(&reader, count: Int(body[2] >> 1) + 1, ends: ends).map { ($0, ends) }
    }
}
