import Glibc
import GodwitContact
import GodwitLink
import GodwitProtocol
import NIOCore
import NIOPosix
import Synchronization

/// A loopback relay that makes TCP connections as slow, long and lossy as a satellite link: it needs no privileges.
///
/// Real packet loss is not to be had without a packet-level emulator; the relay repeats the bytes and stalls a time-out
/// for each loss that it draws, which is what TCP makes of it.
final class Relay: Sendable {
    /// A direction: `up` is from whoever connects.
    enum Direction: Int, Sendable { case up, down }

    /// What crossed, both ways.
    struct Account: Sendable, Hashable {
        var up = LinkModel.Statistics()
        var down = LinkModel.Statistics()
    }

    private struct State {
        var up: LinkModel?
        var down: LinkModel?
        var unshaped = Account()
        var gate = RelayGate()
        var cutUntil = Duration.zero
        var generation = 0
        var target = 0
        var capture: Int32?
        /// Called once when so many bytes have gone up since shaping began.
        var trigger: (bytes: Int, action: @Sendable () -> Void)?
    }
    private let state = Mutex(State())
    private let time = SystemTime()
    /// Bytes kept moving ahead of the link, as time on the link.
    private static let backlogMax = Duration.seconds(1)
    private static let chunksMax = 65_536

    private var now: Duration { time.uptime() }

    /// Where connections go.
    func aim(at port: Int) { state.withLock { $0.target = port } }

    /// Writes everything that crosses from now on to a file, both directions as it comes.
    /// - Throws: `ProtocolError` when the file cannot be written.
    func capture(to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ProtocolError(.internalError, "The capture cannot be written: \(path)", hint: "Check the path.")
        }
        state.withLock { $0.capture = descriptor }
    }

    private func note(_ bytes: ByteBufferView) {
        guard let descriptor = state.withLock({ $0.capture }) else { return }
        bytes.withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Shapes everything from now on.
    func shape(up: LinkModel, down: LinkModel) {
        state.withLock { state in
            state.up = up
            state.down = down
        }
    }

    /// Cuts all connections and lets none through for a time.
    func cut(for length: Duration) {
        let until = now + length
        let gate = state.withLock { state in
            state.cutUntil = until
            state.generation += 1
            let gate = state.gate
            state.gate = RelayGate()
            return gate
        }
        gate.close()
    }

    var isCut: Bool {
        let now = now
        return state.withLock { $0.cutUntil > now }
    }

    /// Calls `action` once when `bytes` have gone up.
    func whenSent(_ bytes: Int, _ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.trigger = (bytes, action) }
    }

    /// What crossed since shaping began; before it, nothing.
    var account: Account {
        state.withLock { Account(up: $0.up?.statistics ?? .init(), down: $0.down?.statistics ?? .init()) }
    }

    /// Payload that crossed before shaping began.
    var unshaped: Account { state.withLock { $0.unshaped } }

    /// Listens on a free port of loopback and relays until cancelled.
    func run(listening: @escaping @Sendable (Int) -> Void) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        listening(server.channel.localAddress?.port ?? 0)
        try await server.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { await self.serve(connection) }
                }
            }
        }
    }

    private func serve(_ near: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        let (target, gate) = state.withLock { ($0.target, $0.gate) }
        guard !isCut,
            let far = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(
                    host: "127.0.0.1", port: target,
                    channelInitializer: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                        }
                    })
        else {
            try? await near.executeThenClose { _, _ in }
            return
        }
        let key = gate.register {
            near.channel.close(promise: nil)
            far.channel.close(promise: nil)
        }
        defer { gate.remove(key) }
        try? await near.executeThenClose { nearIn, nearOut in
            try await far.executeThenClose { farIn, farOut in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.move(nearIn, to: farOut, .up) }
                    group.addTask { try await self.move(farIn, to: nearOut, .down) }
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    /// Takes bytes in as fast as the link takes them, and puts them out when the link would deliver them.
    private func move(
        _ source: NIOAsyncChannelInboundStream<ByteBuffer>, to sink: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ direction: Direction
    ) async throws {
        let (queue, feed) = AsyncThrowingStream.makeStream(
            of: (at: Duration, bytes: ByteBuffer).self, bufferingPolicy: .bufferingOldest(Self.chunksMax))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await (at, bytes) in queue {
                    let wait = at - self.now
                    if wait > .zero { try await Task.sleep(for: wait) }
                    try await sink.write(bytes)
                }
            }
            group.addTask {
                for try await var chunk in source {
                    self.note(chunk.readableBytesView)
                    for delivery in self.charge(chunk.readableBytes, direction) {
                        guard let slice = chunk.readSlice(length: delivery.bytes),
                            case .enqueued = feed.yield((delivery.at, slice))
                        else { throw CancellationError() }
                    }
                    while self.backlog(direction) > Self.backlogMax {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                feed.finish()
            }
            try await group.waitForAll()
        }
    }

    private func charge(_ bytes: Int, _ direction: Direction) -> [LinkModel.Delivery] {
        let now = now
        let (deliveries, action) = state.withLock { state -> ([LinkModel.Delivery], (@Sendable () -> Void)?) in
            var deliveries = [LinkModel.Delivery(at: now, bytes: bytes)]
            switch direction {
            case .up:
                if state.up == nil { state.unshaped.up.payload += bytes }
                deliveries = state.up?.offer(bytes: bytes, at: now) ?? deliveries
            case .down:
                if state.down == nil { state.unshaped.down.payload += bytes }
                deliveries = state.down?.offer(bytes: bytes, at: now) ?? deliveries
            }
            guard let trigger = state.trigger, state.up?.statistics.charged ?? 0 >= trigger.bytes else {
                return (deliveries, nil)
            }
            state.trigger = nil
            return (deliveries, trigger.action)
        }
        action?()
        return deliveries
    }

    private func backlog(_ direction: Direction) -> Duration {
        let now = now
        return state.withLock { state in
            (direction == .up ? state.up : state.down)?.backlog(at: now) ?? .zero
        }
    }
}

/// All connections that a cut ends.
final class RelayGate: Sendable {
    private let closers = Mutex<(next: Int, open: [Int: @Sendable () -> Void])>((0, [:]))

    func register(_ close: @escaping @Sendable () -> Void) -> Int {
        closers.withLock { state in
            state.next += 1
            state.open[state.next] = close
            return state.next
        }
    }

    func remove(_ key: Int) { closers.withLock { $0.open[key] = nil } }

    func close() {
        let all = closers.withLock { state in
            let all = Array(state.open.values)
            state.open = [:]
            return all
        }
        for close in all { close() }
    }
}
