import GodwitBatch
import GodwitProtocol

/// Whether an item can travel at all: one that fits no frame would stop every item behind it.
enum FrameRoom {
    /// Bodies up to this many bytes fit in any form: they stay below a frame's limit even where nothing is compressed.
    private static let safe = FrameLimits.frameMax - 1024

    /// For what comes over a socket; what came in a frame has fitted one.
    ///
    /// - Throws: `ProtocolError` 2001.
    static func check(_ body: [UInt8], _ kind: BatchItem.Kind) throws(ProtocolError) {
        guard body.count > safe else { return }
        let item = BatchItem(kind: kind, body: body, created: Timestamp(milliseconds: 0), priority: .control)
        _ = try FrameCodec.encode(Frame(floor: .max, items: [item], hasMore: true))
    }
}
