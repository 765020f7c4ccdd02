import NIOCore
import NIOWebSocket

/// The client's end of an open socket: whole messages go to the inbox, pings are answered, a close is echoed.
///
/// Fragments are put together, and their number and size bounded, by NIO's aggregator before this handler.
final class ClientSocketHandler<Message: Sendable>: ChannelDuplexHandler {
    /// What a data frame holds.
    enum Reading {
        case message(Message)
        /// It was dealt with.
        case nothing
        case refused(code: UInt16, reason: String)
    }

    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let inbox: SocketInbox<Message>
    private let reading: @Sendable (WebSocketFrame) -> Reading
    private var isPaused = false
    private var hasUnreadDemand = false
    private var hasSentClose = false
    private var closed: SocketClosed?

    init(inbox: SocketInbox<Message>, reading: @escaping @Sendable (WebSocketFrame) -> Reading) {
        self.inbox = inbox
        self.reading = reading
    }

    /// - Parameter messageMax: bytes of a message, over all its fragments.
    static func add(_ handler: ClientSocketHandler, to channel: any Channel, messageMax: Int) throws {
        let aggregator = NIOWebSocketFrameAggregator(
            minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1_024, maxAccumulatedFrameSize: messageMax)
        try channel.pipeline.syncOperations.addHandler(aggregator)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard closed == nil else { return }
        switch frame.opcode {
        case .ping: write(context, .pong, frame.data)
        case .pong: break
        case .connectionClose: peerCloses(context, frame.data)
        default:
            switch reading(frame) {
            case .message(let message): take(message, context)
            case .nothing: break
            case .refused(let code, let reason): fail(context, code: code, reason: reason)
            }
        }
    }

    private func take(_ message: Message, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let hasRoom = inbox.offer(message) {
            eventLoop.execute {
                let (handler, context) = bound.value
                handler.resume(context)
            }
        }
        if !hasRoom { isPaused = true }
    }

    private func resume(_ context: ChannelHandlerContext) {
        isPaused = false
        guard hasUnreadDemand else { return }
        hasUnreadDemand = false
        context.read()
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { hasUnreadDemand = true } else { context.read() }
    }

    private func peerCloses(_ context: ChannelHandlerContext, _ data: ByteBuffer) {
        var data = data
        let code: UInt16? = data.readInteger()
        closed = SocketClosed(code: code ?? 1005, reason: data.readString(length: data.readableBytes) ?? "")
        sendClose(context, code: code ?? 1000, reason: "")
        cutLater(context)
    }

    private func fail(_ context: ChannelHandlerContext, code: UInt16, reason: String) {
        closed = SocketClosed(code: code, reason: reason)
        sendClose(context, code: code, reason: reason)
        cutLater(context)
    }

    private func sendClose(_ context: ChannelHandlerContext, code: UInt16, reason: String) {
        guard !hasSentClose else { return }
        hasSentClose = true
        var data = context.channel.allocator.buffer(capacity: 2 + reason.utf8.count)
        data.writeInteger(code)
        data.writeString(reason)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// The server ends the TCP connection first (RFC 6455 §7.1.1); a while later we do.
    private func cutLater(_ context: ChannelHandlerContext) {
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }

    private func write(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// Frames that others write pass here, so that nothing follows a close frame.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !hasSentClose else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if unwrapOutboundIn(data).opcode == .connectionClose { hasSentClose = true }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength, NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge:
            fail(context, code: 1009, reason: "Too large.")
        case is NIOWebSocketError, is NIOWebSocketFrameAggregator.Error:
            fail(context, code: 1002, reason: "Protocol error.")
        default: context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let end = closed ?? SocketClosed(code: nil, reason: "The connection broke.")
        inbox.end(end.code == 1000 ? .success(()) : .failure(end))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        inbox.end(.failure(SocketClosed(code: nil, reason: "The connection broke.")))
    }
}

extension ByteBuffer {
    /// The whole as text, or nil if it is not UTF-8.
    func getUTF8ValidatedText() -> String? {
        withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) }
    }
}
