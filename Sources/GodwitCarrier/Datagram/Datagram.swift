import GodwitBatch
import GodwitProtocol

/// One datagram of an exchange (docs/protocol.md §8.2): parts of a stream or parity of such, an acknowledgement, or both.
struct Datagram: Sendable, Hashable {
    /// A part of the stream.
    struct Chunk: Sendable, Hashable {
        var offset: Int
        var bytes: [UInt8]
        var range: Range<Int> { offset..<offset + bytes.count }
    }

    /// Which datagrams have come: `largest`, and of the `depth` numbers below it all but those `missing`.
    struct Acknowledgement: Sendable, Hashable {
        static let depthMax = 62
        var largest: Int
        /// 0 to 62, not more than `largest`.
        var depth: Int
        /// Bit i: the number `largest - 1 - i` has not come. Below 2^depth.
        var missing: UInt64

        /// What it says of a number; nil: nothing.
        func has(_ number: Int) -> Bool? {
            let below = largest - number - 1
            if below == -1 { return true }
            guard below >= 0, below < depth else { return nil }
            return missing >> UInt64(below) & 1 == 0
        }

        var map: UInt64 { 1 << UInt64(depth) | missing }
        var size: Int { Datagram.varintSize(largest) + Datagram.varintSize(map) }
    }

    /// What the answerer has to know of the link before it can send on it.
    struct Opening: Sendable, Hashable {
        /// Bits a second towards the caller, 10 to 10^11.
        var rate: Int
        /// Bits a second from the caller, 10 to 10^11.
        var callerRate: Int
        /// Milliseconds there and back, 0 to 600,000.
        var roundTrip: Int
        /// Bytes of the largest datagram to the caller without IP and UDP headers, 36 to 65,507.
        var payloadMax: Int

        static let rates = 10...100_000_000_000
        static let roundTrips = 0...600_000
        static let payloads = 36...65_507
        var values: [Int] { [rate, callerRate, roundTrip, payloadMax] }
        var size: Int { values.reduce(0) { $0 + Datagram.varintSize($1) } }
    }

    /// Chunks in one datagram.
    static let chunksMax = 8
    /// Numbers and offsets lie below.
    static let valueMax = 1 << 40

    var id: UInt32
    var isFromAnswerer: Bool
    /// There where something has to be acknowledged: with chunks or parity, or where it asks.
    var number: Int?
    /// Wants to be acknowledged now.
    var asks = false
    var opening: Opening?
    var acknowledgement: Acknowledgement?
    /// The receiver takes the stream up to here.
    var credit: Int?
    var chunks: [Chunk] = []
    /// The last chunk is the end of the stream.
    var ends = false
    /// Instead of chunks.
    var parity: DatagramParity?

    static func varintSize(_ value: some BinaryInteger) -> Int {
        max(1, (UInt64(clamping: value).bitWidth - UInt64(clamping: value).leadingZeroBitCount + 6) / 7)
    }
}

// MARK: - Bytes

extension Datagram {
    enum Bits {
        static let answerer: UInt8 = 0x01
        static let acknowledgement: UInt8 = 0x02
        static let asks: UInt8 = 0x04
        static let opening: UInt8 = 0x08
        static let chunk: UInt8 = 0x10
        static let end: UInt8 = 0x20
        static let kinds: UInt8 = 0xC0
        static let plain: UInt8 = 0x40
        static let close: UInt8 = 0x80
        static let extended: UInt8 = 0xC0
        /// In the second byte of an extended datagram.
        static let credit: UInt8 = 0x01
        static let parity: UInt8 = 0x10
        static let unused: UInt8 = 0xE0
    }

    var encoded: [UInt8] {
        let isExtended = credit != nil || chunks.count > 1 || parity != nil
        var type = isExtended ? Bits.extended : Bits.plain
        if isFromAnswerer { type |= Bits.answerer }
        if acknowledgement != nil { type |= Bits.acknowledgement }
        if asks { type |= Bits.asks }
        if opening != nil { type |= Bits.opening }
        if !chunks.isEmpty { type |= Bits.chunk }
        if ends { type |= Bits.end }
        var bytes = [type]
        if isExtended {
            bytes.append(
                (credit == nil ? 0 : Bits.credit) | UInt8(max(chunks.count - 1, 0)) << 1
                    | (parity == nil ? 0 : Bits.parity))
        }
        bytes += Self.bytes(id)
        if let number { bytes += Varint.bytes(UInt64(number)) }
        if let opening {
            for value in opening.values { bytes += Varint.bytes(UInt64(value)) }
        }
        if let acknowledgement {
            bytes += Varint.bytes(UInt64(acknowledgement.largest)) + Varint.bytes(acknowledgement.map)
        }
        if let credit { bytes += Varint.bytes(UInt64(credit)) }
        if let parity, let number { bytes += parity.encoded(in: number) }
        return bytes + Self.bytes(chunks)
    }

    /// Chunks, the last one without its length.
    static func bytes(_ chunks: [Chunk]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, chunk) in chunks.enumerated() {
            bytes += Varint.bytes(UInt64(chunk.offset))
            if index < chunks.count - 1 { bytes += Varint.bytes(UInt64(chunk.bytes.count)) }
            bytes += chunk.bytes
        }
        return bytes
    }

    static func bytes(_ id: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: id >> (24 - 8 * $0)) } }

    /// nil for what is no datagram in its one possible form.
    init?(_ bytes: some Sequence<UInt8>) {
        var reader = DatagramReader(bytes)
        guard let type = reader.byte(), [Bits.plain, Bits.extended].contains(type & Bits.kinds) else { return nil }
        var extras: UInt8 = 0
        if type & Bits.kinds == Bits.extended {
            guard let byte = reader.byte(), byte != 0, byte & Bits.unused == 0 else { return nil }
            extras = byte
        }
        guard let id = reader.identifier() else { return nil }
        self.id = id
        isFromAnswerer = type & Bits.answerer != 0
        asks = type & Bits.asks != 0
        ends = type & Bits.end != 0
        let hasChunk = type & Bits.chunk != 0
        let hasParity = extras & Bits.parity != 0
        let furtherChunks = Int((extras & ~Bits.parity) >> 1)
        guard hasChunk ? !hasParity : !ends && furtherChunks == 0 else { return nil }
        if hasChunk || hasParity || asks {
            guard let number = reader.value(in: 0...Self.valueMax - 1) else { return nil }
            self.number = number
        }
        if type & Bits.opening != 0 {
            guard !isFromAnswerer, number != nil, let opening = Opening(&reader) else { return nil }
            self.opening = opening
        }
        if type & Bits.acknowledgement != 0 {
            guard let acknowledgement = Acknowledgement(&reader) else { return nil }
            self.acknowledgement = acknowledgement
        }
        if extras & Bits.credit != 0 {
            guard let credit = reader.value(in: 0...Self.valueMax) else { return nil }
            self.credit = credit
        }
        if hasChunk {
            guard let chunks = Self.chunks(&reader, count: furtherChunks + 1, ends: ends) else { return nil }
            self.chunks = chunks
        }
        if hasParity {
            guard let number, let parity = DatagramParity(&reader, in: number) else { return nil }
            self.parity = parity
        }
        // Nothing in it, or something left over.
        guard reader.isAtEnd, number != nil || acknowledgement != nil else { return nil }
    }

    /// Reads to the end.
    static func chunks(_ reader: inout DatagramReader, count: Int, ends: Bool) -> [Chunk]? {
        var chunks: [Chunk] = []
        for index in 0..<count {
            guard let offset = reader.value(in: 0...valueMax) else { return nil }
            let isLast = index == count - 1
            guard let length = isLast ? reader.left : reader.value(in: 1...65_535),
                let bytes = reader.take(length), !bytes.isEmpty || (isLast && ends), offset + bytes.count <= valueMax
            else { return nil }
            chunks.append(Chunk(offset: offset, bytes: bytes))
        }
        return chunks
    }
}

extension Datagram.Opening {
    init?(_ reader: inout DatagramReader) {
        guard let rate = reader.value(in: Self.rates), let callerRate = reader.value(in: Self.rates),
            let roundTrip = reader.value(in: Self.roundTrips), let payloadMax = reader.value(in: Self.payloads)
        else { return nil }
        self.init(rate: rate, callerRate: callerRate, roundTrip: roundTrip, payloadMax: payloadMax)
    }
}

extension Datagram.Acknowledgement {
    init?(_ reader: inout DatagramReader) {
        guard let largest = reader.value(in: 0...Datagram.valueMax - 1), let map = reader.varint(), map > 0 else {
            return nil
        }
        let depth = 63 - map.leadingZeroBitCount
        guard depth <= min(Self.depthMax, largest) else { return nil }
        self.init(largest: largest, depth: depth, missing: map & ~(1 << UInt64(depth)))
    }
}

/// Reads a datagram from its front.
struct DatagramReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) { rest = Array(bytes)[...] }

    var isAtEnd: Bool { rest.isEmpty }
    var left: Int { rest.count }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard count >= 0, count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func identifier() -> UInt32? { take(4)?.reduce(0) { $0 << 8 | UInt32($1) } }

    mutating func varint() -> UInt64? {
        guard let read = try? Varint.read(rest) else { return nil }
        rest = rest.dropFirst(read.count)
        return read.value
    }

    mutating func value(in range: ClosedRange<Int>) -> Int? {
        guard let value = varint().flatMap({ Int(exactly: $0) }), range.contains(value) else { return nil }
        return value
    }
}
