/// A WebSocket frame as it arrived, unmasked.
struct IncomingFrame: Hashable, Sendable {
    var isFinal: Bool
    var hasReservedBits: Bool
    /// 0 to 15 (RFC 6455 §11.8).
    var opcode: UInt8
    var isMasked: Bool
    var payload: [UInt8]
}

/// The server's end of RFC 6455 without sockets and clocks: what each frame and each moment means.
///
/// Times are durations since the socket was opened.
struct WebSocketMachine {
    struct Limits: Hashable {
        /// Bytes of a message over all its fragments.
        var messageMax: Int
        /// Frames of one message: nobody splits honestly into more.
        var fragmentsMax = 1_024
        var content = Content.text
    }

    /// What messages are.
    enum Content: UInt8, Hashable {
        case text = 1
        case binary
    }

    enum Effect: Hashable {
        /// A whole message.
        case deliver([UInt8])
        /// Answer a ping with its bytes.
        case pong([UInt8])
        case ping
        /// Send a close frame after what is queued; 1005 stands for one without a code.
        case close(UInt16, String)
        /// End the TCP connection.
        case cut
    }

    private enum Phase: Hashable { case open, closing, closed }

    private let limits: Limits
    private let timeouts: SocketTimeouts
    private var phase = Phase.open
    private var message: [UInt8] = []
    private var fragments = 0
    private var text = UTF8Checker()
    private var peerHasClosed = false
    private var closeWritten = false
    private var lastFrame: Duration = .zero
    private var pinged: Duration?
    private var closeBegan: Duration = .zero

    init(limits: Limits, timeouts: SocketTimeouts) {
        self.limits = limits
        self.timeouts = timeouts
    }

    /// Takes one frame.
    mutating func receive(_ frame: IncomingFrame, at now: Duration) -> Effect? {
        lastFrame = now
        pinged = nil
        guard phase == .open else { return afterClose(frame) }
        guard frame.isMasked else { return close(1002, "A client's frames are masked.", at: now) }
        guard !frame.hasReservedBits else { return close(1002, "No extension was agreed.", at: now) }
        switch frame.opcode {
        case 0, limits.content.rawValue: return data(frame, at: now)
        case 1, 2: return close(1003, "Only \(limits.content) messages are spoken here.", at: now)
        case 8, 9, 10: return control(frame, at: now)
        default: return close(1002, "Unknown opcode.", at: now)
        }
    }

    private mutating func data(_ frame: IncomingFrame, at now: Duration) -> Effect? {
        let isContinuation = frame.opcode == 0
        guard isContinuation == (fragments > 0) else {
            return close(1002, isContinuation ? "Nothing to continue." : "The last message is not finished.", at: now)
        }
        guard message.count + frame.payload.count <= limits.messageMax, fragments < limits.fragmentsMax else {
            return close(1009, "Message too large.", at: now)
        }
        guard limits.content == .binary || text.accept(frame.payload) else { return close(1007, "Not UTF-8.", at: now) }
        message += frame.payload
        fragments += 1
        guard frame.isFinal else { return nil }
        guard text.isComplete else { return close(1007, "Not UTF-8.", at: now) }
        defer {
            message = []
            fragments = 0
        }
        return .deliver(message)
    }

    private mutating func control(_ frame: IncomingFrame, at now: Duration) -> Effect? {
        guard frame.isFinal, frame.payload.count <= 125 else {
            return close(1002, "Malformed control frame.", at: now)
        }
        switch frame.opcode {
        case 9: return .pong(frame.payload)
        case 8:
            peerHasClosed = true
            return close(Self.answer(toClose: frame.payload), "", at: now)
        default: return nil
        }
    }

    /// The code that answers a close frame (RFC 6455 §5.5.1, §7.4).
    static func answer(toClose payload: [UInt8]) -> UInt16 {
        if payload.isEmpty { return 1005 }
        guard payload.count >= 2 else { return 1002 }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        var reason = UTF8Checker()
        guard reason.accept(payload.dropFirst(2)), reason.isComplete else { return 1007 }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: return code
        default: return 1002
        }
    }

    private mutating func afterClose(_ frame: IncomingFrame) -> Effect? {
        guard frame.opcode == 8 else { return nil }
        peerHasClosed = true
        return cutIfDone()
    }

    /// Begins the close handshake; nil when it had begun.
    mutating func close(_ code: UInt16, _ reason: String, at now: Duration) -> Effect? {
        guard phase == .open else { return nil }
        phase = .closing
        closeBegan = now
        message = []
        return .close(code, reason)
    }

    /// Our close frame is out.
    mutating func wroteClose() -> Effect? {
        closeWritten = true
        return cutIfDone()
    }

    private mutating func cutIfDone() -> Effect? {
        guard peerHasClosed, closeWritten, phase != .closed else { return nil }
        phase = .closed
        return .cut
    }

    /// When `tick` wants to be called; nil after the end.
    var deadline: Duration? {
        switch phase {
        case .open: pinged.map { $0 + timeouts.answer } ?? (lastFrame + timeouts.idle)
        case .closing: closeBegan + timeouts.close
        case .closed: nil
        }
    }

    /// Time has passed.
    mutating func tick(at now: Duration) -> Effect? {
        guard let deadline, now >= deadline else { return nil }
        if phase == .open, pinged == nil {
            pinged = now
            return .ping
        }
        phase = .closed
        return .cut
    }
}
