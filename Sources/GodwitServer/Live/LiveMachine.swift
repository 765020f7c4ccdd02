import GodwitProtocol

/// The answering end of a live link without sockets: what each message is, and when the caller is told that something waits
/// (docs/protocol.md §8.6).
struct LiveMachine: Sendable, Hashable {
    enum Effect: Hashable, Sendable {
        /// A record of the request; the first one begins an exchange.
        case record([UInt8], isFirst: Bool)
        case requestEnded
        /// The caller does not keep to the order of messages, or to a limit.
        case refuse(ProtocolError)
    }
    /// `ended`: the end of the answer goes out. The caller may begin anew as soon as it has it.
    private enum Phase: Hashable { case idle, request, answer, ended, over }

    /// Bytes of the records of one request.
    let bodyMax: Int
    private var phase = Phase.idle
    private var size = 0
    /// A record was accepted: the caller is no stranger.
    private(set) var isKnown = false
    /// Something was queued since the last exchange began.
    private var hasNotice = false
    /// The caller was told since the last exchange.
    private var hasAnnounced = false

    init(bodyMax: Int) { self.bodyMax = bodyMax }

    /// Takes one whole message of the caller.
    mutating func receive(_ message: [UInt8]) -> Effect {
        switch phase {
        case .over: return .refuse(Self.outOfTurn)
        case .answer: return refuse(Self.outOfTurn)
        case .idle where message.isEmpty, .ended where message.isEmpty: return refuse(Self.empty)
        case .idle, .ended, .request:
            guard !message.isEmpty else {
                phase = .answer
                return .requestEnded
            }
            let isFirst = phase != .request
            if isFirst { (phase, size, hasNotice, hasAnnounced) = (.request, 0, false, false) }
            size += message.count
            guard size <= bodyMax else {
                return refuse(.tooLarge("The request is too large.", actual: size, firstRefused: bodyMax + 1))
            }
            return .record(message, isFirst: isFirst)
        }
    }

    private mutating func refuse(_ error: ProtocolError) -> Effect {
        phase = .over
        return .refuse(error)
    }

    private static let outOfTurn = ProtocolError.malformed("A message came after the end of the request.")
    private static let empty = ProtocolError.malformed("An exchange needs at least one frame.")

    mutating func accepted() { isKnown = true }

    /// The exchange failed here.
    mutating func failed() { phase = .over }

    /// The end of the answer is about to go out.
    mutating func ends() { if phase == .answer { phase = .ended } }

    /// The end of the answer is out. True: the caller is told now that something waits.
    /// - Parameter somethingWaits: it did not go with the answer.
    mutating func answered(somethingWaits: Bool) -> Bool {
        guard phase == .ended else { return false }
        phase = .idle
        hasNotice = hasNotice && somethingWaits
        return announces()
    }

    /// Something was queued for the caller. True: the caller is told now.
    mutating func noticed() -> Bool {
        hasNotice = true
        return announces()
    }

    private mutating func announces() -> Bool {
        guard phase == .idle, isKnown, hasNotice, !hasAnnounced else { return false }
        hasAnnounced = true
        return true
    }
}
