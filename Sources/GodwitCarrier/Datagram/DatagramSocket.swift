import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A UDP socket whose datagrams go to one taker, on the socket's event loop.
///
/// A link that goes down takes sockets with it: an error of the network when sending closes one. Such a socket is
/// opened again with the same port until it is closed for good; what is sent meanwhile is lost, as datagrams are.
final class DatagramSocket: DatagramPath {
    /// Datagrams as they come. The address is the sender's.
    typealias Taker = @Sendable (_ bytes: [UInt8], _ from: SocketAddress) -> Void

    private struct State {
        var channel: (any Channel)?
        var local: SocketAddress
        var isClosed = false
    }

    /// Bytes of the largest datagram there is.
    private static let datagramMax = 65_536
    private static let reopening = TimeAmount.milliseconds(500)

    let eventLoop: any EventLoop
    private let peer: SocketAddress?
    private let taker = TakerBox()
    private let state: Mutex<State>

    private init(_ local: SocketAddress, _ peer: SocketAddress?) {
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.peer = peer
        state = Mutex(State(local: local))
    }

    /// Sends to one peer and hears only it.
    static func connected(to peer: SocketAddress) async throws -> DatagramSocket {
        let any = try SocketAddress(ipAddress: peer.protocol == .inet6 ? "::" : "0.0.0.0", port: 0)
        return try await open(DatagramSocket(any, peer))
    }

    /// Hears everyone.
    static func bound(to address: SocketAddress) async throws -> DatagramSocket {
        try await open(DatagramSocket(address, nil))
    }

    /// Looks a host up, on a thread that may block.
    static func resolve(_ host: String, port: Int) async throws -> SocketAddress {
        try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(host, port: port)
        }
    }

    /// Bytes of IP and UDP before each datagram to an address.
    static func header(of address: SocketAddress) -> Int {
        address.protocol == .inet6 ? DatagramLink.headerV6 : DatagramLink.headerV4
    }

    private static func open(_ socket: DatagramSocket) async throws -> DatagramSocket {
        try await socket.open().get()
        return socket
    }

    private func open() -> EventLoopFuture<Void> {
        let (taker, peer) = (taker, peer)
        let local = state.withLock { $0.local }
        return DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(taker: taker))
                }
            }
            .bind(to: local)
            .flatMap { [self] channel in
                // The port stays the same for good: the peer knows an exchange by it.
                if let bound = channel.localAddress { state.withLock { $0.local = bound } }
                let connected = peer.map { channel.connect(to: $0) } ?? channel.eventLoop.makeSucceededVoidFuture()
                connected.whenFailure { _ in channel.close(promise: nil) }
                return connected.map { self.keep(channel) }
            }
    }

    private func keep(_ channel: any Channel) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.channel = channel }
            return state.isClosed
        }
        if isClosed { return channel.close(promise: nil) }
        channel.closeFuture.whenComplete { [weak self] _ in self?.reopen() }
    }

    private func reopen() {
        let isClosed = state.withLock { state in
            state.channel = nil
            return state.isClosed
        }
        guard !isClosed else { return }
        eventLoop.scheduleTask(in: Self.reopening) { [weak self] in
            guard let self else { return }
            open().whenFailure { [weak self] _ in self?.reopen() }
        }
    }

    /// nil: the network took it, and it is opened again.
    var channel: (any Channel)? { state.withLock { $0.channel } }
    var port: Int { state.withLock { $0.local.port } ?? 0 }

    /// What comes from now on; before, it is dropped.
    func take(_ take: @escaping Taker, refused: @escaping @Sendable () -> Void = {}) {
        taker.set(take, refused)
    }

    /// What cannot be sent is lost, as datagrams are.
    func send(_ bytes: [UInt8], to address: SocketAddress) {
        guard let channel else { return }
        let taker = taker
        let buffer = channel.allocator.buffer(bytes: bytes)
        channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: buffer)).whenFailure { error in
            if (error as? IOError)?.errnoCode == ECONNREFUSED { taker.refuse() }
        }
    }

    func send(_ bytes: [UInt8], to address: PathAddress) {
        if case .socket(let address) = address { send(bytes, to: address) }
    }

    /// Each exchange is paced by itself.
    var pace: SharedPace? { nil }
    func header(of address: PathAddress) -> Int {
        if case .socket(let address) = address { Self.header(of: address) } else { DatagramLink.headerV4 }
    }
    func size(_ bytes: [UInt8], to address: PathAddress) -> Int { bytes.count + header(of: address) }

    func close() async {
        let channel = state.withLock { state in
            state.isClosed = true
            return state.channel
        }
        try? await channel?.close()
    }

    func closeSoon() {
        let channel = state.withLock { state in
            state.isClosed = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}

/// Who takes the datagrams of a socket.
final class TakerBox: Sendable {
    private let takers = Mutex<(take: DatagramSocket.Taker, refused: @Sendable () -> Void)?>(nil)

    func set(_ take: @escaping DatagramSocket.Taker, _ refused: @escaping @Sendable () -> Void) {
        takers.withLock { $0 = (take, refused) }
    }
    func take(_ bytes: [UInt8], from address: SocketAddress) { takers.withLock { $0?.take }?(bytes, address) }
    func refuse() { takers.withLock { $0?.refused }?() }
}

/// Hands datagrams on.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let taker: TakerBox

    init(taker: TakerBox) { self.taker = taker }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        taker.take(Array(envelope.data.readableBytesView), from: envelope.remoteAddress)
    }

    /// The system says that a datagram was refused where it went (ICMP). Such word can be forged, so whoever hears
    /// it decides.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? IOError)?.errnoCode == ECONNREFUSED { taker.refuse() }
    }
}
