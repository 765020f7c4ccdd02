import Glibc
import GodwitContact
import GodwitNode
import GodwitProtocol
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The operator's door to a running node: a Unix socket in its home, one JSON request and one answer a connection.
struct ControlServer: Service {
    static let messageMax = 33_554_432
    /// Bytes that the kernel leaves for a path, unix(7), without the closing zero.
    static let pathMax = 107

    let path: String
    let answer: @Sendable (JSONObject) async -> JSONObject

    /// - Throws: `ProtocolError` 2000 for a path that no socket can have.
    init(path: String, answer: @escaping @Sendable (JSONObject) async -> JSONObject) throws(ProtocolError) {
        guard path.utf8.count <= Self.pathMax else {
            throw ProtocolError(
                .invalidMessageFormat, "The path of the control socket is too long: \(path)",
                hint: "Use a --home whose path is at least \(path.utf8.count - Self.pathMax) bytes shorter.")
        }
        self.path = path
        self.answer = answer
    }

    func run() async throws {
        unlink(path)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ByteToMessageHandler(LineDecoder(), maximumBufferSize: Self.messageMax))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        // Whoever may read the keys may give orders, and nobody else.
        chmod(path, 0o600)
        try await untilShutdown {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections {
                        group.addTask { await serve(connection) }
                    }
                }
            }
        }
        unlink(path)
    }

    private func serve(_ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        // A client that goes away early harms nobody else.
        try? await connection.executeThenClose { inbound, outbound in
            for try await line in inbound {
                var reply: JSONObject
                do {
                    let limits = JSONLimits(bytes: Self.messageMax)
                    reply = await answer(try JSONObject.parse(Array(line.readableBytesView), limits: limits))
                } catch let error as ProtocolError {
                    reply = error.object(at: Wiring.now)
                }
                var buffer = ByteBuffer(bytes: reply.canonicalBytes())
                buffer.writeString("\n")
                try await outbound.write(buffer)
            }
        }
    }
}

/// Cuts a stream into lines.
struct LineDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
            let line = buffer.readSlice(length: end - buffer.readerIndex)
        else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 1)
        context.fireChannelRead(wrapInboundOut(line))
        return .continue
    }
}

/// Asks the node of a home: through its socket if it runs, else by opening its store for this one request.
enum NodeControl {
    /// - Throws: `ProtocolError` that the node answered.
    static func ask(_ request: JSONObject, _ home: HomeOptions) async throws -> JSONValue {
        let reply: JSONObject
        if let running = try await askRunning(request, home.controlPath) {
            reply = running
        } else if !Wiring.exists(home.nodeDirectory + "/node.json"), ClientFiles(home).exists {
            return try await ClientFiles(home).withDevice { try await ClientSpool(device: $0).answer(request) }
        } else {
            let settings = try await NodeSettings.load(home)
            let node = try await HomeNode(
                home: try NodeHome(directory: home.nodeDirectory), spoolDirectory: settings.spool,
                configuration: try settings.nodeConfiguration(), logger: Wiring.logger("godwit.tool"), carrier: nil)
            reply = await node.control(request)
        }
        if let error = ProtocolError(object: reply) { throw error }
        return reply["result"] ?? .null
    }

    /// Nil if no node runs there.
    static func askRunning(_ request: JSONObject, _ path: String) async throws -> JSONObject? {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            ByteToMessageHandler(LineDecoder(), maximumBufferSize: ControlServer.messageMax))
                        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            return nil
        }
        return try await channel.executeThenClose { inbound, outbound in
            var buffer = ByteBuffer(bytes: request.canonicalBytes())
            buffer.writeString("\n")
            try await outbound.write(buffer)
            for try await line in inbound {
                return try JSONObject.parse(
                    Array(line.readableBytesView), limits: JSONLimits(bytes: ControlServer.messageMax))
            }
            throw ProtocolError(.nodeUnreachable, "The node closed its control socket.", hint: "See its log.")
        }
    }
}
