import GodwitProtocol
import NIOCore
import NIOWebSocket

/// A client of a node's `/ws/v1` (004 §7.1): text messages both ways over TLS 1.3 with the node's key pinned.
public final class WebSocketClient: Sendable {
    /// Largest message accepted, in bytes, whole or in fragments.
    public static let messageMax = 131_072

    let channel: any Channel
    private let inbox: SocketInbox<String>

    init(channel: any Channel, inbox: SocketInbox<String>) {
        self.channel = channel
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    /// Returns when the message has been handed to the system; waits while the link is slower than the caller.
    /// - Throws: `ProtocolError` 3000 when the socket is closed.
    public func send(_ text: String) async throws {
        try await write(.text, ByteBuffer(string: text))
    }

    /// Asks for a sign of life; the answer keeps the connection open and is not reported.
    public func ping() async throws {
        try await write(.ping, ByteBuffer())
    }

    /// Begins the close handshake and waits for the node's answer, at most five seconds.
    public func close(code: UInt16 = 1000) async {
        var data = ByteBuffer()
        data.writeInteger(code)
        do { try await write(.connectionClose, data) } catch { return await cut() }
        let channel = channel
        let timeout = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        await cutWhenClosed()
        timeout.cancel()
    }

    /// Messages in order. At most 64 wait here; then the socket is not read and TCP holds the node back.
    ///
    /// Ends after a close with code 1000, else throws `SocketClosed`. One iteration at a time.
    public var messages: Messages { Messages(inbox: inbox) }

    public struct Messages: AsyncSequence, Sendable {
        public typealias Element = String
        let inbox: SocketInbox<String>

        public struct AsyncIterator: AsyncIteratorProtocol {
            let inbox: SocketInbox<String>
            public mutating func next() async throws -> String? { try await inbox.next() }
        }
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: inbox) }
    }

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
        do {
            try await channel.writeAndFlush(
                WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data))
        } catch {
            throw ProtocolError(.nodeUnreachable, "The socket is closed.", hint: "Connect again.")
        }
    }

    private func cutWhenClosed() async {
        do { try await channel.closeFuture.get() } catch { await cut() }
    }

    private func cut() async {
        channel.close(promise: nil)
    }
}
