public import GodwitBatch
public import GodwitLink
public import GodwitProtocol
import NIOCore
import Synchronization

/// How to reach one peer in datagrams.
public struct UDPCarrierConfiguration: Sendable {
    /// `udp://host:port`.
    public var endpoint: Endpoint
    /// Rates, delay and packet size of the link. Datagrams go out at the profile's rate, not faster.
    public var profile: Profile
    /// Nothing heard for so long ends an exchange; nil: 60 s or 20 round trips, the longer of them.
    public var silence: Duration?
    /// The peer can be reached another way, too: one that has not said a word for 30 s or 10 round trips, the longer of
    /// them, counts as not reachable this way.
    public var hasAlternative = false

    public init(endpoint: Endpoint, profile: Profile) {
        self.endpoint = endpoint
        self.profile = profile
    }
}

/// Batch exchanges with one peer in UDP datagrams (docs/protocol.md §8.2): both ways at once, without a handshake, paced
/// at the rate of the link, what is lost sent again by itself. For thin and lossy links.
///
/// Frames are sealed, so nothing below them is; who looks on sees sizes and times. The socket stays open between
/// exchanges. Statistics count bytes of datagrams, without IP and UDP headers.
public final class UDPCarrier: Carrier, PaceFollowing {
    /// Exchanges at the same time; one more is refused with 3002. Each is paced by itself.
    public static let exchangesMax = 4
    /// Ended exchanges whose late datagrams are still answered.
    static let lingeringMax = 32

    private struct State {
        var socket: CallerSocket?
        var running = 0
        var rates: (up: BitRate, down: BitRate)?
    }

    private let configuration: UDPCarrierConfiguration
    private let state = Mutex(State())

    /// - Throws: `ProtocolError` 2000 for an address that is none of this kind; nothing is sent yet.
    public init(_ configuration: UDPCarrierConfiguration) throws(ProtocolError) {
        guard configuration.endpoint.scheme == .udp else {
            throw .malformed("A datagram exchange needs a udp address.", hint: "Write it as udp://host:port.")
        }
        self.configuration = configuration
    }

    /// One round trip. Cancelling the task tells the peer and throws `CancellationError`.
    ///
    /// - Throws: `ProtocolError` 3000 when nothing was heard for long or nobody listens, the peer's own error where it
    ///   answered one, whatever `receive` threw.
    public func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        try enter()
        defer { state.withLock { $0.running -= 1 } }
        let (socket, isReused) = try await socket()
        var link = DatagramLink(configuration.profile, header: socket.header)
        if let rates = state.withLock({ $0.rates }) { link.slow(to: rates.up, down: rates.down) }
        link.silence = configuration.silence
        if configuration.hasAlternative { link.firstSilence = link.impatience }
        do {
            return try await socket.exchange(request, over: link, isReused: isReused, receive: receive)
        } catch {
            // The peer may have moved, or the way to it: the next exchange asks anew.
            if (error as? ProtocolError)?.code == .nodeUnreachable { retire(socket) }
            throw error
        }
    }

    public func follow(up: BitRate, down: BitRate) { state.withLock { $0.rates = (up, down) } }

    private func enter() throws(ProtocolError) {
        try state.withLock { state throws(ProtocolError) in
            guard state.running < Self.exchangesMax else {
                throw ProtocolError(
                    .rateLimited, "Too many exchanges with one peer at the same time.", hint: "Wait for one to end.")
            }
            state.running += 1
        }
    }

    private func socket() async throws -> (CallerSocket, isReused: Bool) {
        if let socket = state.withLock({ $0.socket }), socket.isOpen { return (socket, true) }
        let fresh = try await CallerSocket.open(configuration.endpoint)
        // Another exchange may have opened one meanwhile.
        let kept = state.withLock { state -> CallerSocket in
            if let socket = state.socket, socket.isOpen { return socket }
            state.socket = fresh
            return fresh
        }
        if kept !== fresh { fresh.retire() }
        return (kept, kept !== fresh)
    }

    private func retire(_ socket: CallerSocket) {
        state.withLock { if $0.socket === socket { $0.socket = nil } }
        socket.retire()
    }

    deinit { state.withLock { $0.socket }?.retire() }
}
