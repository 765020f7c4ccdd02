import GodwitBatch

/// An object as it comes in, in any order and with gaps. A record is found as soon as all its bytes are there, whether
/// or not the object becomes whole.
struct BroadcastAssembly: Sendable {
    /// Bytes of the smallest record: a sealed frame with nothing in it (docs/protocol.md §4.5).
    static let recordMin = 58
    /// What a symbol counts beside its bytes.
    static let symbolCost = 64

    let layout: BroadcastLayout
    /// Memory that its symbols take, about.
    private(set) var held = 0
    private var data: [Int: [UInt8]] = [:]
    /// Blocks that have parity symbols and still lack data symbols: by block, then by row.
    private var parity: [Int: [Int: [UInt8]]] = [:]
    private var dataOfBlock: [Int: Int] = [:]
    /// Where records begin that need a data symbol which has not come.
    private var waiting: [Int: [Int]] = [:]
    /// Where records are known to begin, found or not.
    private var starts: Set<Int> = []

    init(_ layout: BroadcastLayout) { self.layout = layout }

    var isWhole: Bool { data.count == layout.dataCount }

    /// The object, once it is whole.
    var bytes: [UInt8] { (0..<layout.dataCount).flatMap { data[$0] ?? [] } }

    /// Takes a symbol and returns the records that it completes. What came before stays as it is.
    mutating func add(_ datagram: BroadcastDatagram) -> [[UInt8]] {
        let number = datagram.number
        guard let place = layout.place(of: number) else { return [] }
        var open: [Int] = []
        if number < layout.dataCount {
            guard data[number] == nil else { return [] }
            if let first = datagram.first, first < datagram.bytes.count {
                open.append(layout.range(of: number).lowerBound + first)
            }
            if number == 0 { open.append(0) }
            open = open.filter { starts.insert($0).inserted }
            open += keep(datagram.bytes, as: number, in: place.block)
        } else {
            let row = place.index - layout.dataCount(of: place.block)
            let lacks = dataOfBlock[place.block, default: 0] < layout.dataCount(of: place.block)
            guard lacks, parity[place.block]?[row] == nil else { return [] }
            parity[place.block, default: [:]][row] = datagram.bytes
            held += datagram.bytes.count + Self.symbolCost
        }
        open += repair(place.block)
        return find(open)
    }

    /// - Returns: where records begin that waited for it.
    private mutating func keep(_ bytes: [UInt8], as number: Int, in block: Int) -> [Int] {
        data[number] = bytes
        dataOfBlock[block, default: 0] += 1
        held += bytes.count + Self.symbolCost
        return waiting.removeValue(forKey: number) ?? []
    }

    /// Computes what a block lacks, if enough of it has come.
    private mutating func repair(_ block: Int) -> [Int] {
        guard let symbols = parity[block] else { return [] }
        let count = layout.dataCount(of: block)
        let present = dataOfBlock[block, default: 0]
        guard present + symbols.count >= count else { return [] }
        var open: [Int] = []
        if present < count {
            var known: [Int: [UInt8]] = [:]
            for index in 0..<count { known[index] = data[layout.number(of: index, in: block)] }
            let code = ErasureCode(dataCount: count)
            for (index, bytes) in code.recover(known: known, parity: symbols, size: layout.symbolSize) ?? [:] {
                let number = layout.number(of: index, in: block)
                open += keep(Array(bytes.prefix(layout.size(of: number))), as: number, in: block)
                if number == 0, starts.insert(0).inserted { open.append(0) }
            }
        }
        for bytes in symbols.values { held -= bytes.count + Self.symbolCost }
        parity[block] = nil
        return open
    }

    private enum Reading {
        case record([UInt8], end: Int)
        /// This data symbol is not there.
        case lacks(Int)
        /// No record begins here.
        case broken
    }

    /// Reads records from where they begin, and those that follow them.
    private mutating func find(_ open: [Int]) -> [[UInt8]] {
        var records: [[UInt8]] = []
        for start in open.sorted() {
            var next: Int? = start
            while let place = next {
                next = nil
                switch read(at: place) {
                case .record(let record, let end):
                    records.append(record)
                    if end < layout.length, starts.insert(end).inserted { next = end }
                case .lacks(let number): waiting[number, default: []].append(place)
                case .broken: break
                }
            }
        }
        return records
    }

    private func read(at start: Int) -> Reading {
        var length: Int?
        for count in 1...3 where start + count <= layout.length {
            switch slice(start..<start + count) {
            case .failure(let lack): return .lacks(lack.number)
            case .success(let bytes):
                guard bytes[count - 1] & 0x80 == 0 else { continue }
                guard let read = try? Varint.read(bytes[...]) else { return .broken }
                length = Int(read.value)
            }
            let from = start + count
            guard let length, (Self.recordMin...Exchange.recordMax).contains(length), from + length <= layout.length
            else { return .broken }
            switch slice(from..<from + length) {
            case .failure(let lack): return .lacks(lack.number)
            case .success(let record): return .record(record, end: from + length)
            }
        }
        return .broken
    }

    private struct Lack: Error { var number: Int }

    /// Bytes of the object, or the first data symbol that is not there.
    private func slice(_ range: Range<Int>) -> Result<[UInt8], Lack> {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for number in range.lowerBound / layout.symbolSize...(range.upperBound - 1) / layout.symbolSize {
            guard let symbol = data[number] else { return .failure(Lack(number: number)) }
            let offset = number * layout.symbolSize
            bytes += symbol[max(range.lowerBound - offset, 0)..<min(range.upperBound - offset, symbol.count)]
        }
        return .success(bytes)
    }
}
