import NIOCore
import NIOWebSocket

/// What the pipeline of a WebSocket hands on.
enum SocketInput: Sendable {
    case frame(IncomingFrame)
    /// The bytes are no frames, or too large a frame; nothing can be read after it.
    case violation(code: UInt16, reason: String)
}

/// Translates NIO's frames, and its decoder's errors, which would otherwise end the channel before a close frame.
final class SocketInputHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = SocketInput

    private var hasFailed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let incoming = IncomingFrame(
            isFinal: frame.fin, hasReservedBits: !frame.reservedBits.isEmpty,
            opcode: UInt8(webSocketOpcode: frame.opcode),
            isMasked: frame.maskKey != nil, payload: Array(frame.unmaskedData.readableBytesView))
        context.fireChannelRead(wrapInboundOut(.frame(incoming)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: fail(context, 1009, "Message too large.")
        case is NIOWebSocketError: fail(context, 1002, "Malformed control frame.")
        // More bytes after the decoder gave up.
        case is ByteToMessageDecoderError: break
        default: context.fireErrorCaught(error)
        }
    }

    private func fail(_ context: ChannelHandlerContext, _ code: UInt16, _ reason: String) {
        guard !hasFailed else { return }
        hasFailed = true
        context.fireChannelRead(wrapInboundOut(.violation(code: code, reason: reason)))
        context.fireChannelReadComplete()
    }
}
