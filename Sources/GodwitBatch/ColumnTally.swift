/// Bytes that an item took, by column, as the reader of a frame met them.
struct ColumnTally {
    /// In the part that no compressor shortens.
    private(set) var opaque: [BatchColumn: Int] = [:]
    /// In the column block before compression.
    private(set) var columns: [BatchColumn: Int] = [:]

    mutating func noteOpaque(_ count: Int, _ column: BatchColumn) {
        if count > 0 { opaque[column, default: 0] += count }
    }

    mutating func noteColumn(_ count: Int, _ column: BatchColumn) {
        if count > 0 { columns[column, default: 0] += count }
    }

    /// A ciphertext ends with the 16 bytes of its authentication tag.
    mutating func noteContent(_ count: Int) {
        let tag = min(count, 16)
        noteOpaque(count - tag, .content)
        noteOpaque(tag, .contentTag)
    }
}
