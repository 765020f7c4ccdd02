import Logging
import NIOCore
import NIOWebSocket
import ServiceLifecycle

/// Runs one live link until it ends: reads, answers, writes control frames, and waits for the first record.
struct LiveConnection {
    typealias Socket = NIOAsyncChannel<SocketInput, WebSocketFrame>

    let service: LiveService

    func run(_ socket: Socket) async {
        let shell = SocketShell(channel: socket.channel, timeouts: service.timeouts, limits: .live)
        shell.start()
        await withGracefulShutdownHandler {
            do {
                try await socket.executeThenClose { inbound, _ in await converse(socket.channel, inbound, shell) }
            } catch {
                service.logger.debug("A live link broke.")
            }
            shell.end()
        } onGracefulShutdown: {
            shell.close(code: 1001, reason: "The node is shutting down.")
        }
    }

    private func converse(
        _ channel: any Channel, _ inbound: NIOAsyncChannelInboundStream<SocketInput>, _ shell: SocketShell
    ) async {
        let link = LiveLink(channel: channel, shell: shell, service: service)
        let hasPlace = service.places.enter()
        if !hasPlace { link.refuse() }
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await read(inbound, shell, hasPlace ? link : nil)
                shell.end()
                return true
            }
            group.addTask {
                await write(channel, shell)
                return true
            }
            group.addTask {
                for await exchange in link.exchanges { await link.answer(exchange) }
                return false
            }
            group.addTask {
                do { try await Task.sleep(for: service.timeouts.authentication) } catch { return false }
                if !link.isKnown { shell.close(code: 4401, reason: "No record was accepted in time.") }
                return false
            }
            for await isOver in group where isOver {
                link.end()
                group.cancelAll()
            }
        }
        if hasPlace { service.places.leave(asStranger: !link.isKnown) }
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<SocketInput>, _ shell: SocketShell, _ link: LiveLink?
    ) async {
        do {
            for try await input in inbound {
                switch input {
                case .violation(let code, let reason): shell.begin(closing: code, reason)
                case .frame(let frame):
                    if let message = shell.receive(frame) { await link?.receive(message) }
                }
            }
        } catch {
            service.logger.debug("A live link could not be read.")
        }
    }

    private func write(_ channel: any Channel, _ shell: SocketShell) async {
        do {
            while true {
                // One record at a time, for the next is decided on when this one has gone.
                let frames = await shell.nextFrames(bytes: 1)
                guard let last = frames.last else { break }
                for frame in frames { try await channel.writeAndFlush(SocketConnection.frame(frame)) }
                if case .close = last { shell.wroteClose() }
            }
        } catch {
            service.logger.debug("A live link could not be written.")
        }
    }
}

extension WebSocketMachine.Limits {
    /// Binary messages, a record each.
    static let live = WebSocketMachine.Limits(messageMax: 65_600, content: .binary)
}
