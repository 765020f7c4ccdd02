import NIOCore
import NIOHTTP1

/// Stands at the end of the pipeline until the first request has decided between HTTP and WebSocket.
///
/// Answers bytes that are no HTTP with 400 and ends the connection. Takes the upgrader's complaint about a handshake
/// that it refuses: the request goes on as plain HTTP and is answered there.
final class FirstRequestErrorHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else {
            // TLS and the socket end the connection themselves.
            return
        }
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest, headers: ["Connection": "close", "Content-Length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }
}
