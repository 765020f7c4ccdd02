import GodwitProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Stands at the end of the pipeline until the first request has decided between HTTP and WebSocket.
///
/// Answers bytes that are no HTTP with 400, and a header that is too large with 431, and ends the connection. Takes the upgrader's complaint about a handshake
/// that it refuses: the request goes on as plain HTTP and is answered there.
final class FirstRequestErrorHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else {
            // TLS and the socket end the connection themselves.
            return
        }
        let answer = Self.answer(to: error)
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status.code))
        head.headers = ["Connection": "close", "Content-Type": "application/json"]
        head.headers.add(name: "Content-Length", value: String(answer.body.count))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    private static func answer(to error: any Error) -> Answer {
        if case HTTPParserError.headerOverflow = error {
            return .error(
                .malformed(
                    "The header of the request is too large.", hint: "At most 16 KiB, 8 KiB a field, 64 fields."),
                status: .requestHeaderFieldsTooLarge)
        }
        return .error(.malformed("This is no HTTP request."))
    }
}
