import NIOCore
import NIOWebSocket

/// Lets nothing follow a close frame (RFC 6455 §5.5.1): records and control frames come from different tasks.
final class CloseGuardHandler: ChannelOutboundHandler {
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private var hasClosed = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !hasClosed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if unwrapOutboundIn(data).opcode == .connectionClose { hasClosed = true }
        context.write(data, promise: promise)
    }
}
