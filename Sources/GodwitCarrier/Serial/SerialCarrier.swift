public import GodwitBatch
public import GodwitLink
public import GodwitProtocol
import Synchronization

/// Batch exchanges with one peer over a serial line (docs/protocol.md §8.3): the datagrams of §8.2 in KISS frames, paced
/// at the rate of the profile and never above that of the line.
///
/// Statistics count bytes of datagrams, without frames, checks and escapes.
public final class SerialCarrier: Carrier, PaceFollowing {
    /// Exchanges at the same time; one more is refused with 3002.
    public static let exchangesMax = 4

    private let lines: SerialLines
    private let peer: NodeID
    private let profile: Profile
    private let silence: Duration?
    private let hasAlternative: Bool
    private let running = Mutex(0)
    private let rates = Mutex<(up: BitRate, down: BitRate)?>(nil)

    /// - Parameters:
    ///   - lines: where the peer's line is set.
    ///   - silence: nothing heard for so long ends an exchange; nil: 60 s or 20 round trips, the longer of them.
    ///   - hasAlternative: the peer can be reached another way, too, so that one that says nothing at all is waited for
    ///     only 30 s or 10 round trips, the longer of them.
    public init(
        _ lines: SerialLines, to peer: NodeID, profile: Profile, silence: Duration? = nil, hasAlternative: Bool = false
    ) {
        self.lines = lines
        self.peer = peer
        self.profile = profile
        self.silence = silence
        self.hasAlternative = hasAlternative
    }

    public func follow(up: BitRate, down: BitRate) { rates.withLock { $0 = (up, down) } }

    /// One round trip. Cancelling the task tells the peer and throws `CancellationError`.
    ///
    /// - Throws: `ProtocolError` 3000 with a hint when the device is not there, or nothing was heard for long; the peer's
    ///   own error where it answered one; whatever `receive` threw.
    public func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let isFree = running.withLock { running in
            guard running < Self.exchangesMax else { return false }
            running += 1
            return true
        }
        guard isFree else {
            throw ProtocolError(
                .rateLimited, "Too many exchanges with one peer at the same time.", hint: "Wait for one to end.")
        }
        defer { running.withLock { $0 -= 1 } }
        guard let (line, pair) = lines.line(to: peer) else {
            throw ProtocolError(
                .nodeUnreachable, "The peer has no serial line.", hint: "Name it with `godwit peer add --serial`.")
        }
        do {
            try await line.ready()
        } catch var error as ProtocolError {
            error.sentNothing = true
            throw error
        }
        var link = DatagramLink(profile, line: line.endpoint)
        if let rates = rates.withLock({ $0 }) { link.slow(to: rates.up, down: rates.down) }
        link.silence = silence
        if hasAlternative { link.firstSilence = link.impatience }
        return try await line.caller(for: pair)
            .exchange(request, over: link, isReused: true, receive: receive)
    }
}
