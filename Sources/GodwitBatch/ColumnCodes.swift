import GodwitProtocol

/// References into a table that fills as it is used: 0 the usual entry (or a new one where none is usual), 1 a new entry,
/// k + 2 entry k.
enum TableCode {
    enum Reference {
        case new
        case entry(Int)
    }

    static func code(for index: Int, usual: Int?) -> UInt32 { index == usual ? 0 : UInt32(index + 2) }
    static func new(usual: Int?) -> UInt32 { usual == nil ? 0 : 1 }

    static func read(_ code: UInt32, usual: Int?, count: Int) throws(ProtocolError) -> Reference {
        switch code {
        case 0: return usual.map { .entry($0) } ?? .new
        case 1: return .new
        default:
            guard Int(code) - 2 < count else { throw .malformed("a column of the frame refers to no entry") }
            return .entry(Int(code) - 2)
        }
    }
}

/// How a key of the key table is written: 0 an epoch whose first 10 bytes are the key id; 2n + 1 an epoch and a key id of
/// n bytes; 2n + 2 no epoch and a key id of n bytes.
enum KeyMark {
    static func mark(of key: MessageRow.Key) -> UInt32 {
        if key.isDerived { return 0 }
        return UInt32(2 * key.keyID.count + (key.epoch.isEmpty ? 2 : 1))
    }

    static func read(_ mark: UInt32) throws(ProtocolError) -> (hasEpoch: Bool, keyIDLength: Int?) {
        guard mark > 0 else { return (true, nil) }
        let length = Int(mark - 1) / 2
        guard length <= MessageRow.keyIDMax else { throw .malformed("a key id of the frame is too long") }
        return (mark % 2 == 1, length)
    }
}

/// How `channel_node` is written where it is the node of the author who uses the conversation first in the frame.
enum ConversationNode {
    static let authors = "."
}

/// A column of few values, as runs: value | count << shift.
struct Runs {
    let shift: UInt32
    private var value: UInt32 = 0
    private var count: UInt32 = 0
    private var done: [UInt32] = []

    init(shift: UInt32) { self.shift = shift }

    mutating func append(_ next: UInt32) {
        if next != value, count > 0 {
            done.append(value | count << shift)
            count = 0
        }
        value = next
        count += 1
    }

    var values: [UInt32] { count == 0 ? done : done + [value | count << shift] }
    var isAllZero: Bool { done.isEmpty && value == 0 }

    /// The values one by one.
    /// - Throws: `ProtocolError` 2000 when they are more than `limit` or a run is empty.
    static func read(_ runs: [UInt32], shift: UInt32, limit: Int) throws(ProtocolError) -> [UInt32] {
        var values: [UInt32] = []
        for run in runs {
            let count = Int(run >> shift)
            guard count > 0, count <= limit - values.count else {
                throw .malformed("a frame holds at most \(limit) items, and no run is empty")
            }
            values += repeatElement(run & (1 << shift - 1), count: count)
        }
        return values
    }
}

/// Ascending indices, each as the number of indices left out before it.
struct Gaps {
    private(set) var values: [UInt32] = []
    private var next = 0

    mutating func append(_ index: Int) {
        values.append(UInt32(index - next))
        next = index + 1
    }

    /// - Throws: `ProtocolError` 2000 for an index of `limit` or more.
    static func read(_ gaps: [UInt32], limit: Int) throws(ProtocolError) -> Set<Int> {
        var indices: Set<Int> = []
        var next = 0
        for gap in gaps {
            let index = next + Int(gap)
            guard index < limit else { throw .malformed("a column of the frame names a message that is not there") }
            indices.insert(index)
            next = index + 1
        }
        return indices
    }
}

/// Reads a column value by value; what is left out at its end is zero.
struct ColumnCursor<Value: FixedWidthInteger> {
    private let values: [Value]
    private var index = 0
    /// Bytes of the values read so far: varints, zigzag where they are signed.
    private(set) var size = 0

    init(_ values: [Value]) { self.values = values }

    mutating func next() -> Value {
        guard index < values.count else { return 0 }
        defer { index += 1 }
        size += Self.size(of: values[index])
        return values[index]
    }

    private static func size(of value: Value) -> Int {
        let bits = Int64(truncatingIfNeeded: value)
        let coded = Value.isSigned ? UInt64(bitPattern: bits << 1 ^ bits >> 63) : UInt64(truncatingIfNeeded: value)
        return max(1, (64 - coded.leadingZeroBitCount + 6) / 7)
    }

    var isAtEnd: Bool { index == values.count }
}

/// Reads byte strings off the front.
struct ByteCursor {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Throws: `ProtocolError` 2000 when there are fewer bytes.
    mutating func take(_ count: Int) throws(ProtocolError) -> [UInt8] {
        guard count <= bytes.count - index else { throw .malformed("the frame ends within an item") }
        defer { index += count }
        return Array(bytes[index..<index + count])
    }

    var isAtEnd: Bool { index == bytes.count }
}
