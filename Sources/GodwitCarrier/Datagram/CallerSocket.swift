import GodwitProtocol
import NIOCore
import Synchronization

/// The socket or line of a calling end, and the exchanges over it: those that run, and those that ended and are still answered
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

    private let path: any DatagramPath
    private let peer: PathAddress
    private let state = Mutex(State())

    /// - Parameter path: whoever made it hands over what comes.
    init(_ path: any DatagramPath, to peer: PathAddress) {
        self.path = path
        self.peer = peer
    }

    static func open(_ endpoint: Endpoint) async throws -> CallerSocket {
        do {
            let peer = try await DatagramSocket.resolve(endpoint.host, port: endpoint.port)
            let socket = try await DatagramSocket.connected(to: peer)
            let caller = CallerSocket(socket, to: .socket(peer))
            socket.take(
                { [weak caller] bytes, _ in caller?.take(bytes) }, refused: { [weak caller] in caller?.refused() })
            return caller
        } catch {
            var error = ProtocolError(
                .nodeUnreachable, "No way to the node's address for datagrams.",
                hint: "Check the name, the resolver and the network.")
            error.sentNothing = true
            throw error
        }
    }

    var isOpen: Bool { !state.withLock { $0.isRetired } }
    var header: Int { path.header(of: peer) }

    func begin(_ link: DatagramLink) -> DatagramConversation {
        state.withLock { state in
            var id = UInt32.random(in: .min ... .max)
            while state.conversations[id] != nil { id &+= 1 }
            let conversation = DatagramConversation(role: .caller, id: id, link: link, over: path, to: peer)
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
        path.eventLoop.scheduleTask(in: Self.lingering) { self.forget(id) }
    }

    /// No further exchange begins here; the socket closes with the last that is answered.
    func retire() {
        let isEmpty = state.withLock { state in
            state.isRetired = true
            return state.conversations.isEmpty
        }
        if isEmpty { path.closeSoon() }
    }

    private func forget(_ id: UInt32) {
        let (conversation, closes) = state.withLock { state in
            let conversation = state.conversations.removeValue(forKey: id)
            if let conversation { state.ids[ObjectIdentifier(conversation)] = nil }
            state.ended.removeAll { $0 == id }
            return (conversation, state.isRetired && state.conversations.isEmpty)
        }
        conversation?.release()
        if closes { path.closeSoon() }
    }

    func take(_ bytes: [UInt8]) {
        if let datagram = Datagram(bytes) {
            guard datagram.isFromAnswerer else { return }
            if let conversation = state.withLock({ $0.conversations[datagram.id] }) {
                conversation.with { stream, now in stream.receive(datagram, size: bytes.count, at: now) }
            } else if datagram.number != nil {
                // Of an exchange before this socket, or long ago: nobody wants it.
                path.send(DatagramClose(id: datagram.id, isFromAnswerer: false).encoded(limit: 36), to: peer)
            }
        } else if let close = DatagramClose(bytes), close.isFromAnswerer {
            state.withLock { $0.conversations[close.id] }?.with { stream, now in
                stream.receive(close, size: bytes.count, at: now)
            }
        }
    }

    /// The way is gone: none of the exchanges that run goes on.
    func fail(_ error: ProtocolError) {
        for conversation in state.withLock({ Array($0.conversations.values) }) {
            conversation.with { stream, _ in stream.fail(error) }
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
