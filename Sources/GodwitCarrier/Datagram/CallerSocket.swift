import GodwitProtocol
import NIOCore
import Synchronization

/// The socket of a calling end, and the exchanges over it: those that run, and those that ended and are still answered
/// for a while, because the peer may have missed the last acknowledgement.
final class CallerSocket: Sendable {
    private struct State {
        var conversations: [UInt32: DatagramConversation] = [:]
        var ids: [ObjectIdentifier: UInt32] = [:]
        /// Oldest first.
        var ended: [UInt32] = []
        var isRetired = false
    }

    /// For how long late datagrams of an ended exchange are answered.
    private static let lingering = TimeAmount.seconds(60)
    private static let refusal = ProtocolError(
        .nodeUnreachable, "Nobody listens for datagrams at the node's address.",
        hint: "It may be off, or not listen on UDP.")

    private let socket: DatagramSocket
    private let peer: SocketAddress
    private let state = Mutex(State())

    private init(_ socket: DatagramSocket, _ peer: SocketAddress) {
        self.socket = socket
        self.peer = peer
        socket.take(
            { [weak self] bytes, _ in self?.take(bytes) }, refused: { [weak self] in self?.refused() })
    }

    static func open(_ endpoint: Endpoint) async throws -> CallerSocket {
        do {
            let peer = try await DatagramSocket.resolve(endpoint.host, port: endpoint.port)
            return CallerSocket(try await DatagramSocket.connected(to: peer), peer)
        } catch {
            throw ProtocolError(
                .nodeUnreachable, "No way to the node's address for datagrams.",
                hint: "Check the name, the resolver and the network.")
        }
    }

    var isOpen: Bool { !state.withLock { $0.isRetired } }
    var header: Int { DatagramSocket.header(of: peer) }

    func begin(_ link: DatagramLink) -> DatagramConversation {
        state.withLock { state in
            var id = UInt32.random(in: .min ... .max)
            while state.conversations[id] != nil { id &+= 1 }
            let (socket, peer) = (socket, peer)
            let conversation = DatagramConversation(
                role: .caller, id: id, link: link, eventLoop: socket.eventLoop
            ) { socket.send($0, to: peer) }
            state.conversations[id] = conversation
            state.ids[ObjectIdentifier(conversation)] = id
            return conversation
        }
    }

    /// The exchange is over for its caller.
    func end(_ conversation: DatagramConversation) {
        let (id, surplus) = state.withLock { state -> (UInt32?, UInt32?) in
            guard let id = state.ids[ObjectIdentifier(conversation)] else { return (nil, nil) }
            state.ended.append(id)
            return (id, state.ended.count > UDPCarrier.lingeringMax ? state.ended.first : nil)
        }
        if let surplus { forget(surplus) }
        guard let id else { return }
        // Keeps this socket, too, until then.
        socket.eventLoop.scheduleTask(in: Self.lingering) { self.forget(id) }
    }

    /// No further exchange begins here; the socket closes with the last that is answered.
    func retire() {
        let isEmpty = state.withLock { state in
            state.isRetired = true
            return state.conversations.isEmpty
        }
        if isEmpty { socket.closeSoon() }
    }

    private func forget(_ id: UInt32) {
        let (conversation, closes) = state.withLock { state in
            let conversation = state.conversations.removeValue(forKey: id)
            if let conversation { state.ids[ObjectIdentifier(conversation)] = nil }
            state.ended.removeAll { $0 == id }
            return (conversation, state.isRetired && state.conversations.isEmpty)
        }
        conversation?.release()
        if closes { socket.closeSoon() }
    }

    private func take(_ bytes: [UInt8]) {
        if let datagram = Datagram(bytes) {
            guard datagram.isFromAnswerer else { return }
            if let conversation = state.withLock({ $0.conversations[datagram.id] }) {
                conversation.with { stream, now in stream.receive(datagram, size: bytes.count, at: now) }
            } else if datagram.number != nil {
                // Of an exchange before this socket, or long ago: nobody wants it.
                socket.send(DatagramClose(id: datagram.id, isFromAnswerer: false).encoded(limit: 36), to: peer)
            }
        } else if let close = DatagramClose(bytes), close.isFromAnswerer {
            state.withLock { $0.conversations[close.id] }?.with { stream, now in
                stream.receive(close, size: bytes.count, at: now)
            }
        }
    }

    /// Believed only of exchanges that have heard nothing yet: those lose nothing by it.
    private func refused() {
        for conversation in state.withLock({ Array($0.conversations.values) }) {
            conversation.with { stream, _ in
                if stream.counts.received == 0 { stream.fail(Self.refusal) }
            }
        }
    }
}
