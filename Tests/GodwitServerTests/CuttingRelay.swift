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

    init(to target: Int) async throws {
        self.target = target
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
                    group.addTask { for try await bytes in nearIn { try await farOut.write(bytes) } }
                    group.addTask { for try await bytes in farIn { try await nearOut.write(bytes) } }
                }
            }
        }
    }
}
