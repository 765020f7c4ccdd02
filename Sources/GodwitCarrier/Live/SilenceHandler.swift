import NIOCore

/// Closes a link over which nothing came for long, unless an exchange runs, which has a time of its own.
final class SilenceHandler: ChannelInboundHandler {
    typealias InboundIn = Any

    private let isBusy: @Sendable () -> Bool
    init(isBusy: @escaping @Sendable () -> Bool) { self.isBusy = isBusy }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        if !isBusy() { context.close(promise: nil) }
    }
}
