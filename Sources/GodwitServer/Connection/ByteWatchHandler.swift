import NIOCore
import NIOHTTPTypes

/// Tells the watch of bytes, below HTTP: also those of a header that never ends.
final class ByteWatchHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let watch: ConnectionWatch

    init(_ watch: ConnectionWatch) { self.watch = watch }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watch.change { $0.bytesArrived(at: $1) }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        watch.change { $0.writeBegan(at: $1) }
        let written = promise ?? context.eventLoop.makePromise()
        let watch = NIOLoopBound(watch, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in watch.value.change { $0.writeEnded(at: $1) } }
        context.write(data, promise: written)
    }

    /// Shutdown: a connection without a request has nothing to wait for.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, watch.isBetweenRequests { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        watch.disarm()
        context.fireChannelInactive()
    }
}
