import GodwitBatch

/// One datagram of a broadcast: a symbol, and all that a receiver has to know to use it (docs/protocol.md §8.4).
struct BroadcastDatagram: Sendable, Hashable {
    /// Kind 00, which section 8.2 leaves free, and version 1.
    static let type: UInt8 = 0x11
    /// Bytes beside the symbol, at most as senders write them.
    static let headerMax = 25
    static let checkSize = 4
    /// Bytes of the largest one, whatever it says.
    static let sizeMax = BroadcastLayout.symbolMax + 40

    /// First 8 bytes of SHA-256 of the object.
    var id: UInt64
    var layout: BroadcastLayout
    var number: Int
    /// Data symbols only: where in the symbol the first record begins; the symbol's size: none does.
    var first: Int?
    var bytes: [UInt8]

    var encoded: [UInt8] {
        var out = [Self.type]
        for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: id >> UInt64(shift))) }
        for value in [layout.length, layout.symbolSize, layout.blocks, number] { out += Varint.bytes(UInt64(value)) }
        if let first { out += Varint.bytes(UInt64(first)) }
        out += bytes
        return out + Datagram.bytes(CRC32C.checksum(out))
    }

    init(id: UInt64, layout: BroadcastLayout, number: Int, first: Int?, bytes: [UInt8]) {
        self.id = id
        self.layout = layout
        self.number = number
        self.first = first
        self.bytes = bytes
    }

    /// nil for what is no such datagram in its one form, or was garbled.
    init?(_ datagram: [UInt8]) {
        guard datagram.first == Self.type, datagram.count <= Self.sizeMax, datagram.count > Self.checkSize else {
            return nil
        }
        let told = datagram.suffix(Self.checkSize).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard CRC32C.checksum(datagram.dropLast(Self.checkSize)) == told else { return nil }
        var reader = DatagramReader(datagram.dropFirst().dropLast(Self.checkSize))
        guard let high = reader.identifier(), let low = reader.identifier(),
            let length = reader.value(in: 1...BroadcastLayout.lengthMax),
            let symbolSize = reader.value(in: 1...BroadcastLayout.symbolMax),
            let blocks = reader.value(in: 1...BroadcastLayout.symbolsMax),
            let layout = BroadcastLayout(length: length, symbolSize: symbolSize, blocks: blocks),
            let number = reader.value(in: 0...BroadcastLayout.symbolsMax * ErasureCode.symbolsMax),
            layout.place(of: number) != nil
        else { return nil }
        let size = layout.size(of: number)
        var first: Int?
        if number < layout.dataCount {
            first = reader.value(in: 0...size)
            guard first != nil else { return nil }
        }
        guard let bytes = reader.take(size), reader.isAtEnd else { return nil }
        self.init(
            id: UInt64(high) << 32 | UInt64(low), layout: layout, number: number, first: first, bytes: bytes)
    }
}
