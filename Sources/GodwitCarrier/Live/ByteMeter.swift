import NIOCore
import Synchronization

/// Counts what a connection moves, TLS and below not.
final class ByteMeter: Sendable {
    struct Counts: Sendable, Hashable {
        var sent = 0
        var received = 0
    }
    private let counts = Mutex(Counts())

    var now: Counts { counts.withLock { $0 } }
    fileprivate func add(sent: Int = 0, received: Int = 0) {
        counts.withLock { counts in
            counts.sent += sent
            counts.received += received
        }
    }
}

/// Stands right after TLS.
final class ByteMeterHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let meter: ByteMeter
    init(_ meter: ByteMeter) { self.meter = meter }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        meter.add(received: unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        meter.add(sent: unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }
}
