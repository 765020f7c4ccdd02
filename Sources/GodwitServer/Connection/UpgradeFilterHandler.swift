import NIOCore
import NIOHTTP1

/// Stands before NIO's upgrader for the first request, and takes out an `Upgrade` that would be refused.
///
/// The upgrader forgets the head of a request whose upgrade it refuses (`curl --http2` asks for `h2c` by itself), and the
/// request could then not be answered. Without the header it goes on as plain HTTP (RFC 9110 §7.8 lets a server ignore
/// it).
final class UpgradeFilterHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        if head.headers.contains(name: "Upgrade"), SocketHandshake(head) == nil {
            head.headers.remove(name: "Upgrade")
            // The parser reads nothing after a request that asked for an upgrade.
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
