import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// Whether an item can travel on: one that fits no frame, or no event, would never leave.
enum FrameRoom {
    /// Bodies up to this many bytes fit in any form: they stay below a frame's limit even where nothing is compressed.
    private static let safe = FrameLimits.frameMax - 1024
    /// What an event of a socket has around the object that it carries, at most.
    private static let eventMax = 1024
    /// What a frame can say of an age: an item only gets older on its way.
    private static let ageMax = Int64(Int32.max) * 1000

    /// For everything that is queued, however it came: what arrived verbatim may leave in columns, and the other way.
    ///
    /// - Throws: `ProtocolError` 2001.
    static func check(_ item: NewItem) throws(ProtocolError) {
        guard item.body.count > safe else { return }
        let kind: BatchItem.Kind =
            switch item.kind {
            case .message: .message
            case .object: .object
            case .receipt: .receipt
            }
        try check(
            BatchItem(
                kind: kind, body: item.body, created: item.created, lifetime: item.lifetime, age: ageMax,
                priority: item.priority), keeping: 0)
    }

    /// For an object that will be built from what is taken in now.
    /// - Parameter room: bytes that are kept for what may be added to it.
    /// - Throws: `ProtocolError` 2001.
    static func check(_ object: JSONObject, keeping room: Int) throws(ProtocolError) {
        let body = object.canonicalBytes()
        try checkEvent(body, keeping: room)
        guard body.count + room > safe else { return }
        try check(
            BatchItem(kind: .object, body: body, created: Timestamp(milliseconds: 0), age: ageMax, priority: .control),
            keeping: room)
    }

    /// For what goes to a device: it may come over a socket.
    static func checkEvent(_ body: [UInt8], keeping room: Int = 0) throws(ProtocolError) {
        let most = SocketLimits.messageMax - eventMax - room
        guard body.count <= most else {
            throw .tooLarge("The item is too large for a socket.", actual: body.count, firstRefused: most + 1)
        }
    }

    private static func check(_ item: BatchItem, keeping room: Int) throws(ProtocolError) {
        let bytes = try FrameCodec.encode(Frame(floor: .max, items: [item], hasMore: true))
        guard bytes.count + room <= FrameLimits.frameMax else {
            throw .tooLarge(
                "The item fits no frame.", actual: bytes.count, firstRefused: FrameLimits.frameMax - room + 1)
        }
    }
}
