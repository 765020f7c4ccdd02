import GodwitLink
import GodwitProtocol
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A serial device as a path for datagrams, both ways and for every pair of nodes that use it. Opened once, and again
/// with pauses whenever it goes away, until it is closed for good; what is sent meanwhile is lost, as datagrams are.
final class SerialLine: DatagramPath {
    private struct State {
        var endpoint: SerialEndpoint
        var pairs: [SerialPair] = []
        var callers: [SerialPair: CallerSocket] = [:]
        var table: ListenerTable?
        var stop: (@Sendable () -> Void)?
        var channel: (any Channel)?
        var failure: ProtocolError? = SerialLine.notYet
        var pause = SerialLine.pauseMin
        /// Of frames that went out lately: what comes back is an echo.
        var echoes: [UInt32] = []
        var isClosed = false
    }

    private static let pauseMin = TimeAmount.milliseconds(250)
    private static let pauseMax = TimeAmount.seconds(5)
    /// A line that is gone so long ends the exchanges that run on it.
    private static let patience = TimeAmount.seconds(5)
    /// Frames that are known again. More are never under way.
    private static let echoesMax = 64
    /// Bytes that may wait for the device before datagrams are dropped.
    private static let unsentMax = 16_384
    private static let notYet = ProtocolError(
        .nodeUnreachable, "The serial line is not open yet.", hint: "It is retried.")
    private static let gone = ProtocolError(
        .nodeUnreachable, "The serial line went away.", hint: "Plug it in again; it is opened by itself.")

    let eventLoop: any EventLoop
    let pace: SharedPace?
    private let logger: Logger
    private let state: Mutex<State>

    init(_ endpoint: SerialEndpoint, logger: Logger) {
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        pace = SharedPace(bytesPerSecond: Double(endpoint.bitRate.bitsPerSecond) / 8)
        self.logger = logger
        state = Mutex(State(endpoint: endpoint))
        open()
    }

    var endpoint: SerialEndpoint { state.withLock { $0.endpoint } }
    var isOpen: Bool { state.withLock { $0.channel != nil } }
    /// Why it is not open; nil: it is.
    var failure: ProtocolError? { state.withLock { $0.failure } }

    /// Waits a moment for a line that is just being opened.
    /// - Throws: `ProtocolError` 3000 with a hint where it is not there.
    func ready() async throws {
        for _ in 0..<20 where !isOpen { try await Task.sleep(for: .milliseconds(100)) }
        if let failure { throw failure }
    }

    // MARK: Users

    /// From now on frames of the pair are taken.
    func add(_ pair: SerialPair) {
        state.withLock { if !$0.pairs.contains(pair) { $0.pairs.append(pair) } }
    }

    /// Frames of the pair are noise from now on.
    /// - Returns: nobody uses the line any more.
    func remove(_ pair: SerialPair) -> Bool {
        state.withLock { state in
            state.pairs.removeAll { $0 == pair }
            state.callers[pair] = nil
            return state.pairs.isEmpty
        }
    }

    /// Where this end calls the other end of the pair.
    func caller(for pair: SerialPair) -> CallerSocket {
        state.withLock { state in
            if let known = state.callers[pair] { return known }
            let made = CallerSocket(self, to: .line(pair))
            state.callers[pair] = made
            return made
        }
    }

    /// Calls of the other ends go to the table; `stop` is called when the line is closed for good.
    func answer(by table: ListenerTable, stop: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            state.table = table
            state.stop = stop
            return state.isClosed
        }
        if isClosed { stop() }
    }

    // MARK: Datagrams

    func header(of address: PathAddress) -> Int { SerialFrame.overhead }

    func size(_ bytes: [UInt8], to address: PathAddress) -> Int {
        guard case .line(let pair) = address else { return 0 }
        return SerialFrame.bytes(bytes, of: pair).count
    }

    func send(_ bytes: [UInt8], to address: PathAddress) {
        guard case .line(let pair) = address else { return }
        let check = SerialFrame.check(bytes, of: pair)
        let channel = state.withLock { state -> (any Channel)? in
            state.echoes.append(check)
            if state.echoes.count > Self.echoesMax { state.echoes.removeFirst() }
            return state.channel
        }
        guard let channel, channel.isWritable else { return }
        channel.writeAndFlush(channel.allocator.buffer(bytes: SerialFrame.bytes(bytes, of: pair)), promise: nil)
    }

    /// What a frame holds, from the line.
    func take(_ contents: [UInt8]) {
        let (pairs, echoes) = state.withLock { ($0.pairs, $0.echoes) }
        guard let (datagram, pair) = SerialFrame.open(contents, of: pairs), let type = datagram.first,
            !echoes.contains(SerialFrame.check(datagram, of: pair))
        else { return }
        let (caller, table) = state.withLock { state in
            state.pause = Self.pauseMin
            return (state.callers[pair], state.table)
        }
        if type & Datagram.Bits.answerer != 0 {
            // Also where nobody calls: an exchange of before, whose end the other side should hear.
            (caller ?? self.caller(for: pair)).take(datagram)
        } else {
            table?.take(datagram, from: .line(pair))
        }
    }

    func closeSoon() {}

    /// For good.
    func close() {
        let (channel, stop) = state.withLock { state in
            state.isClosed = true
            state.callers = [:]
            state.table = nil
            state.failure = Self.gone
            return (state.channel, state.stop)
        }
        stop?()
        channel?.close(promise: nil)
    }
}

// MARK: - The device

extension SerialLine {
    private func open() {
        let endpoint = endpoint
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try SerialPort.open(endpoint) }
            .flatMap { [self] descriptor in channel(on: descriptor) }
            .whenComplete { [weak self] result in
                switch result {
                case .success(let channel): self?.keep(channel)
                case .failure(let error): self?.failed(error as? ProtocolError ?? Self.gone)
                }
            }
    }

    private func channel(on descriptor: CInt) -> EventLoopFuture<any Channel> {
        NIOPipeBootstrap(group: eventLoop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 1, high: Self.unsentMax))
            .channelInitializer { [weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SerialHandler { self?.take($0) })
                }
            }
            .takingOwnershipOfDescriptor(inputOutput: descriptor)
            .map { $0 as any Channel }
    }

    private func keep(_ channel: any Channel) {
        let (isClosed, wasGone) = state.withLock { state in
            let wasGone = state.failure != Self.notYet
            if !state.isClosed {
                state.channel = channel
                state.failure = nil
            }
            return (state.isClosed, wasGone)
        }
        if isClosed { return channel.close(promise: nil) }
        if wasGone { logger.notice("a serial line is back") }
        channel.closeFuture.whenComplete { [weak self] _ in self?.failed(Self.gone) }
    }

    private func failed(_ error: ProtocolError) {
        let (isClosed, isNews, pause) = state.withLock { state in
            let isNews = state.failure == nil || state.failure == Self.notYet
            let pause = state.pause
            state.channel = nil
            if !state.isClosed { state.failure = error }
            state.pause = min(pause + pause, Self.pauseMax)
            return (state.isClosed, isNews, pause)
        }
        guard !isClosed else { return }
        if isNews { logger.warning("a serial line is gone", metadata: ["reason": "\(error.message)"]) }
        eventLoop.scheduleTask(in: pause) { [weak self] in self?.reopen() }
        eventLoop.scheduleTask(in: Self.patience) { [weak self] in self?.giveUp() }
    }

    private func reopen() {
        if !state.withLock({ $0.isClosed || $0.channel != nil }) { open() }
    }

    /// Whoever calls over the line may have another way.
    private func giveUp() {
        let (failure, callers) = state.withLock { ($0.channel == nil ? $0.failure : nil, Array($0.callers.values)) }
        guard let failure else { return }
        for caller in callers { caller.fail(failure) }
    }
}

/// Cuts frames out of what a device says.
final class SerialHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var decoder = KISS.Decoder(contentsMax: SerialEndpoint.mtus.upperBound)
    private let take: ([UInt8]) -> Void

    init(take: @escaping ([UInt8]) -> Void) { self.take = take }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for contents in decoder.feed(unwrapInboundIn(data).readableBytesView) { take(contents) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
