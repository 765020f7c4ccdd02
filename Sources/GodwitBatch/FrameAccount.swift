/// What each byte of a frame, as it is before sealing, is spent on: from the decoder's own walk.
///
/// The column block is compressed as one. What a column takes of it on the wire is its share by size before
/// compression, rounded so that the shares add up to the block; everything else is exact.
public struct FrameAccount: Hashable, Sendable {
    /// Bytes on the wire, and bytes before the column block was compressed.
    public struct Bytes: Hashable, Sendable {
        public var wire: Int
        public var raw: Int

        public init(wire: Int, raw: Int) {
            self.wire = wire
            self.raw = raw
        }

        mutating func add(_ other: Bytes) {
            wire += other.wire
            raw += other.raw
        }
    }

    public struct Item: Hashable, Sendable {
        public var kind: BatchItem.Kind
        /// The message's hash, or SHA-256 of another object. 32 bytes.
        public var id: [UInt8]
        /// Bytes of its canonical JSON.
        public var body: Int
        public var columns: [BatchColumn: Bytes]

        /// On the wire.
        public var wire: Int { columns.values.reduce(0) { $0 + $1.wire } }
    }

    /// What serves the frame as a whole.
    public var shared: [BatchColumn: Bytes]
    public var items: [Item]
    /// The column block; nil where the frame has none. `wire` equals `raw` where it was not compressed.
    public var block: Bytes?

    /// All bytes by column.
    public var total: [BatchColumn: Bytes] {
        items.reduce(into: shared) { total, item in
            for (column, bytes) in item.columns { total[column, default: Bytes(wire: 0, raw: 0)].add(bytes) }
        }
    }

    /// Bytes of the frame: every one of them stands in one column.
    public var wire: Int { total.values.reduce(0) { $0 + $1.wire } }
}
