import GodwitNode
import Logging
import NIOCore
import NIOWebSocket
import ServiceLifecycle

/// Runs one open WebSocket until it ends: reads, writes, and the wait for a session.
struct SocketConnection {
    typealias Socket = NIOAsyncChannel<SocketInput, WebSocketFrame>

    /// Bytes that share a call of the system, which costs as much as making several events.
    private static let writtenAtOnce = 16_384

    let timeouts: SocketTimeouts
    let logger: Logger

    func run(_ socket: Socket, _ request: SocketRequest, service: any SocketService) async {
        let shell = SocketShell(channel: socket.channel, timeouts: timeouts)
        shell.start()
        await withGracefulShutdownHandler {
            let session = await service.open(request, outbox: shell)
            do {
                try await socket.executeThenClose { inbound, outbound in
                    await converse(shell, session, inbound, outbound)
                }
            } catch {
                logger.debug("A socket broke.")
            }
            shell.end()
            await session.closed()
        } onGracefulShutdown: {
            shell.close(code: 1001, reason: "The node is shutting down.")
        }
    }

    private func converse(
        _ shell: SocketShell, _ session: any SocketSession, _ inbound: NIOAsyncChannelInboundStream<SocketInput>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await read(inbound, shell, session)
                shell.end()
                return true
            }
            group.addTask {
                await write(outbound, shell, session)
                return true
            }
            group.addTask {
                await awaitAuthentication(session, shell)
                return false
            }
            // The reader ends with the connection, the writer with the reader or a write that failed.
            for await isOver in group where isOver { group.cancelAll() }
        }
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<SocketInput>, _ shell: SocketShell, _ session: any SocketSession
    ) async {
        do {
            for try await input in inbound {
                switch input {
                case .violation(let code, let reason): shell.begin(closing: code, reason)
                case .frame(let frame):
                    if let message = shell.receive(frame) { await session.received(message) }
                }
            }
        } catch {
            logger.debug("A socket could not be read.")
        }
    }

    private func write(
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, _ shell: SocketShell, _ session: any SocketSession
    ) async {
        do {
            while true {
                let frames = await shell.nextFrames(bytes: Self.writtenAtOnce)
                guard let last = frames.last else { break }
                try await outbound.write(contentsOf: frames.map(Self.frame))
                if case .close = last { shell.wroteClose() }
                if shell.takeDrained() { await session.drained() }
            }
        } catch {
            logger.debug("A socket could not be written.")
        }
    }

    private func awaitAuthentication(_ session: any SocketSession, _ shell: SocketShell) async {
        do { try await Task.sleep(for: timeouts.authentication) } catch { return }
        if await session.isAuthenticated() { return }
        shell.close(code: 4401, reason: "No session was opened in time.")
    }

    static func frame(_ frame: SocketQueue.Frame) -> WebSocketFrame {
        switch frame {
        case .text(let bytes): return WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: bytes))
        case .ping: return WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer())
        case .pong(let bytes): return WebSocketFrame(fin: true, opcode: .pong, data: ByteBuffer(bytes: bytes))
        case .close(1005, _): return WebSocketFrame(fin: true, opcode: .connectionClose, data: ByteBuffer())
        case .close(let code, let reason):
            var data = ByteBuffer(integer: code)
            // A control frame holds 125 bytes, two of them the code (RFC 6455 §5.5); cut between characters.
            var room = 123
            for scalar in reason.unicodeScalars {
                room -= String(scalar).utf8.count
                guard room >= 0 else { break }
                data.writeString(String(scalar))
            }
            return WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        }
    }
}
