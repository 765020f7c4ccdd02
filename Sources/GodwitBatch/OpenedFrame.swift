public import GodwitProtocol

/// A frame whose items have not been read yet: that may need what frames before it left behind.
public struct OpenedFrame: Sendable {
    let number: UInt64
    /// Without its items.
    public let frame: Frame
    let columns: WireColumns
    /// The column block before compression, and its bytes on the wire.
    let block: [UInt8]
    let blockOnWire: Int
    let opaque: [UInt8]
    /// Numbers of the frames whose contexts it needs, ascending.
    public let references: [UInt64]

    /// - Throws: `ProtocolError` 2000 for a reference that no sender writes.
    init(
        number: UInt64, frame: Frame, columns: WireColumns, block: [UInt8], blockOnWire: Int, opaque: [UInt8]
    ) throws(ProtocolError) {
        let back = Set(columns.knownFrames).subtracting([0])
        guard back.allSatisfy({ UInt64($0) < number && UInt64($0) <= ContextBook.reach }) else {
            throw .malformed("the frame refers to one that it cannot refer to")
        }
        references = back.map { number - UInt64($0) }.sorted()
        self.number = number
        self.frame = frame
        self.columns = columns
        self.block = block
        self.blockOnWire = blockOnWire
        self.opaque = opaque
    }

    /// One signature stands for several messages.
    public var hasRuns: Bool { columns.signatures == 1 }

    /// - Parameter contexts: of the frames in `references`, by number.
    /// - Returns: the items, and what the frame's chains have come to.
    /// - Throws: `ProtocolError` 2000 for anything that no encoder writes, 2001 beyond `FrameLimits`.
    public func read(
        with contexts: [UInt64: FrameContexts]
    ) throws(ProtocolError) -> (items: [BatchItem], contexts: FrameContexts) {
        var reader = try reader(with: contexts)
        return (try reader.items(), reader.contextsAfter)
    }

    func reader(with contexts: [UInt64: FrameContexts]) throws(ProtocolError) -> ColumnReader {
        var near: [UInt32: FrameContexts] = [:]
        for reference in references { near[UInt32(number - reference)] = contexts[reference] }
        return try ColumnReader(columns, opaque: opaque, contexts: near)
    }
}
