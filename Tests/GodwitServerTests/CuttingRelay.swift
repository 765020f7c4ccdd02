import NIOCore
import NIOPosix
import Synchronization

/// Passes bytes between callers and a server, until all its connections are cut at once.
final class CuttingRelay: Sendable {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let port: Int
    private let target: Int
    private let listening: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    private let open = Mutex<[any Channel]>([])
    private let left: Mutex<(up: Int, down: Int)>
    /// Bytes that went to the server, and came from it.
    private let counted = Mutex((up: 0, down: 0))

    /// - Parameter after: everything is cut after so many bytes to the server, or from it.
    init(to target: Int, cut after: (up: Int, down: Int) = (.max, .max)) async throws {
        self.target = target
        left = Mutex(after)
        listening = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        port = listening.channel.localAddress?.port ?? 0
    }

    func cut() {
        let channels = open.withLock { open in
            defer { open = [] }
            return open
        }
        for channel in channels { channel.close(promise: nil) }
    }

    var passed: (up: Int, down: Int) { counted.withLock { $0 } }

    /// What of the bytes passes, and whether more will.
    private func pass(_ bytes: ByteBuffer, isUp: Bool) -> (ByteBuffer, goesOn: Bool) {
        let count = left.withLock { left in
            let count = min(bytes.readableBytes, isUp ? left.up : left.down)
            if isUp { left.up -= count } else { left.down -= count }
            return count
        }
        counted.withLock { if isUp { $0.up += count } else { $0.down += count } }
        return (bytes.getSlice(at: bytes.readerIndex, length: count) ?? ByteBuffer(), count == bytes.readableBytes)
    }

    private func pass(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        isUp: Bool
    ) async throws {
        for try await bytes in inbound {
            let (some, goesOn) = pass(bytes, isUp: isUp)
            try await outbound.write(some)
            guard goesOn else { return cut() }
        }
    }

    /// Relays while `body` runs.
    func running(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await self.listening.executeThenClose { inbound in
                    try await withThrowingDiscardingTaskGroup { connections in
                        for try await connection in inbound {
                            connections.addTask { try? await self.relay(connection) }
                        }
                    }
                }
                return false
            }
            group.addTask {
                try await body()
                return true
            }
            while let isOver = try await group.next(), !isOver {}
            cut()
            group.cancelAll()
        }
    }

    private func relay(_ near: Connection) async throws {
        let far = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: target) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        open.withLock { $0 += [near.channel, far.channel] }
        try await near.executeThenClose { nearIn, nearOut in
            try await far.executeThenClose { farIn, farOut in
                try await withThrowingDiscardingTaskGroup { group in
                    group.addTask { try await self.pass(nearIn, to: farOut, isUp: true) }
                    group.addTask { try await self.pass(farIn, to: nearOut, isUp: false) }
                }
            }
        }
    }
}
