/// The message keys of one chain that were passed over, by position. Holds at most `countMax`; the oldest go first.
struct SkippedKeys: Sendable, Equatable {
    /// Most positions that one message may skip, and most keys kept in a chain.
    static let countMax = 2_000

    // Ascending by position: skipping only ever appends.
    private var entries: [Entry] = []

    private struct Entry: Sendable, Equatable {
        var position: UInt64
        var key: Secret
    }

    init() {}

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    mutating func keep(_ key: Secret, at position: UInt64) {
        entries.append(Entry(position: position, key: key))
        if entries.count > Self.countMax { entries.removeFirst(entries.count - Self.countMax) }
    }

    /// Takes the key out: it can be used once.
    mutating func take(at position: UInt64) -> Secret? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].position < position { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].position == position else { return nil }
        return entries.remove(at: low).key
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(bigEndian: UInt16(entries.count))
        for entry in entries {
            writer.append(bigEndian: entry.position)
            writer.append(entry.key)
        }
    }

    /// - Throws: `malformed` for more keys than are ever kept, or positions that do not ascend.
    init(from reader: inout ByteReader) throws(CryptoError) {
        let count = Int(try reader.integer(UInt16.self))
        guard count <= Self.countMax else { throw .malformed }
        for _ in 0..<count {
            let position: UInt64 = try reader.integer()
            if let last = entries.last, last.position >= position { throw .malformed }
            entries.append(Entry(position: position, key: try reader.secret()))
        }
    }
}
