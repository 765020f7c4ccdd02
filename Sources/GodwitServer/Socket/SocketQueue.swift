/// What waits to be written to one socket, bounded: texts up to `textsMax`, one ping, one pong, one close.
struct SocketQueue {
    enum Frame: Hashable {
        case text([UInt8])
        case ping
        case pong([UInt8])
        case close(UInt16, String)
    }

    let textsMax: Int
    private var texts: [[UInt8]] = []
    private var first = 0
    private var pongPayload: [UInt8]?
    private var hasPing = false
    private var closeFrame: Frame?
    /// No text is taken any more.
    private(set) var isClosed = false

    init(textsMax: Int) { self.textsMax = textsMax }

    private var count: Int { texts.count - first }

    var hasFrame: Bool { count > 0 || hasPing || pongPayload != nil || closeFrame != nil }

    var isHalfEmpty: Bool { count <= textsMax / 2 }

    /// False when full or closed: nothing was queued.
    mutating func offer(_ text: [UInt8]) -> Bool {
        guard !isClosed, count < textsMax else { return false }
        texts.append(text)
        return true
    }

    mutating func ping() { hasPing = !isClosed }

    /// Only the latest ping need be answered (RFC 6455 §5.5.3), so a flood of pings grows nothing.
    mutating func pong(_ payload: [UInt8]) {
        if !isClosed { pongPayload = payload }
    }

    /// Comes last, after the texts that are queued.
    mutating func close(_ code: UInt16, _ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        closeFrame = .close(code, reason)
    }

    /// The socket is gone.
    mutating func clear() {
        self = SocketQueue(textsMax: textsMax)
        isClosed = true
    }

    /// What is written at once: frames up to `bytes`, and one in any case. Few enough that a control frame which comes
    /// meanwhile need not wait long.
    mutating func next(bytes: Int) -> [Frame] {
        var (frames, size) = ([Frame](), 0)
        while size < bytes, let frame = next() {
            if case .text(let text) = frame { size += text.count }
            frames.append(frame)
        }
        return frames
    }

    /// Control frames overtake texts, but for the close.
    mutating func next() -> Frame? {
        if let payload = pongPayload {
            pongPayload = nil
            return .pong(payload)
        }
        if hasPing {
            hasPing = false
            return .ping
        }
        if first < texts.count {
            defer { advance() }
            return .text(texts[first])
        }
        defer { closeFrame = nil }
        return closeFrame
    }

    private mutating func advance() {
        texts[first] = []
        first += 1
        guard first == texts.count || first >= 64 else { return }
        texts.removeFirst(first)
        first = 0
    }
}
