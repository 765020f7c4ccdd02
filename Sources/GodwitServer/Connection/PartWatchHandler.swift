import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Tells the watch of requests and answers, and ends a connection that goes on sending beyond what a body may hold.
final class PartWatchHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Bytes that may still arrive after the limit: what was on its way when the answer 413 went out.
    static let slack = 1_048_576

    private let watch: ConnectionWatch
    private let cutAt: Int
    private var bodyBytes = 0

    init(_ watch: ConnectionWatch, bodyMax: Int) {
        self.watch = watch
        cutAt = bodyMax + Self.slack
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            bodyBytes = 0
            watch.change { $0.headArrived(at: $1) }
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > cutAt { return context.close(promise: nil) }
        case .end: watch.change { $0.requestEnded(at: $1) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { watch.change { $0.answered(at: $1) } }
        context.write(data, promise: promise)
    }
}
