import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol

/// The budget of one link. What an exchange may cost is booked, and durable, before a byte of it goes: with its first record
/// also the answer, and with each further record that one. What it did cost takes its place afterwards. So neither a crash
/// nor a restart in the middle of it forgets anything (D-20).
actor LinkBudget {
    /// Bytes that an exchange has besides its records, in one direction, at most.
    static let overhead = ByteCount(512)
    /// The same where time on the air counts: there datagrams go, not HTTP.
    static let overheadOnAir = ByteCount(128)
    /// With less than this no exchange is begun: a loose frame and its answer.
    static let leastExchange = ByteCount(2 * (512 + 256))

    private let core: NodeCore
    /// Its name in the store.
    private let account: String
    private let profile: Profile
    private var ledger: BudgetLedger
    /// Of the exchanges that run.
    private var reservations: [Booking: BudgetLedger.Reservation] = [:]
    private var opened = 0

    /// - Parameter path: the link to the peer; nil: the main one.
    init(core: NodeCore, peer: NodeID, path: LinkPath? = nil, profile: Profile, ledger: BudgetLedger) {
        self.core = core
        account = path?.account(of: peer) ?? peer.text
        self.profile = profile
        self.ledger = ledger
    }

    private var isLimited: Bool {
        let budget = profile.budget
        return budget.bytesPerDay != nil || budget.bytesPerMonth != nil || budget.dutyCycle != nil
            || (budget.moneyPerMonth != nil && profile.costPerMegabyte > 0)
    }

    // MARK: Before

    /// Whether an exchange may begin for items of a class.
    func allows(_ priority: PriorityClass) -> Bool {
        let least = Self.leastExchange
        return ledger.maySend(least, airtime: airtime(of: ByteCount(256)), of: priority, at: core.time.now())
    }

    /// The limits of the next exchange: what the budget leaves for its request, less what a short answer takes.
    func limits(_ limits: OutletLimits) -> OutletLimits {
        guard isLimited else { return limits }
        var limits = limits
        limits.most = room(for: .control)
        limits.mostForOthers = room(for: .bulk)
        return limits
    }

    /// Sealed bytes of a request that what is left for a class allows; `ByteCount` of many exabytes without a limit.
    private func room(for priority: PriorityClass) -> ByteCount {
        let left = ledger.remaining(for: priority, at: core.time.now())
        var room = (left.bytes?.bytes ?? .max >> 1) - Self.leastExchange.bytes
        if let time = left.airtime {
            let onAir = time.inSeconds * Double(profile.bandwidthUp.bitsPerSecond) / 8
            room = min(room, Int(min(onAir, 1e15)) - Self.overheadOnAir.bytes)
        }
        // Part of it is lost and goes again.
        let whole = ByteCount(max(Int(Double(room) * (1 - profile.packetLoss)), 0))
        return profile.withoutParity(whole)
    }

    /// When something is granted again.
    func renews() -> Timestamp? { ledger.renews(after: core.time.now()) }

    /// One exchange in the ledger.
    struct Booking: Sendable, Hashable {
        fileprivate let number: Int
    }

    /// A further exchange, of which nothing is booked yet.
    func open() -> Booking {
        opened += 1
        return Booking(number: opened)
    }

    /// What a request that failed may have cost, with its parity.
    func most(of request: ByteCount) -> ByteCount { profile.withParity(request) + Self.overhead }

    /// Books the most that an exchange may cost by now: its request with its parity and with what is lost of it, and the
    /// answer that the link's rate lets expect, as far as the budget reaches. Replaces what was booked of it before.
    ///
    /// - Parameters:
    ///   - request: all that goes, the record that is about to be handed over included.
    ///   - received: what of the answer has come.
    ///   - answer: how much will come; nil: as much as an exchange lets expect.
    /// - Returns: sealed bytes of the answer after which no more is read; nil: no limit.
    /// - Throws: `ProtocolError` 3003 if the request does not fit, or an answer of a known size; then the record may not
    ///   go, and what was booked before stays.
    func reserve(
        request: ByteCount, received: ByteCount = .zero, answer: ByteCount? = nil, as booking: Booking
    ) async throws -> ByteCount? {
        let now = core.time.now()
        let sent = repeated(profile.withParity(request) + Self.overhead)
        let airtime = airtime(of: repeated(profile.withParity(request) + Self.overheadOnAir))
        var next = ledger
        if let before = reservations[booking] { next.settle(before, bytes: .zero, airtime: .zero, at: now) }
        guard next.maySend(sent + received, airtime: airtime, of: .control, at: now) else { throw Self.spent }
        let left = next.remaining(for: .control, at: now).bytes.map { $0 - sent }
        if let answer, let left, left < answer { throw Self.spent }
        let expected = answer ?? expectedAnswer
        let booked = max(received, min(expected, left ?? expected))
        reservations[booking] = next.reserve(sent + booked, airtime: airtime, at: now)
        ledger = next
        if isLimited { try await save() }
        return left
    }

    static var spent: ProtocolError {
        var error = ProtocolError(
            .bandwidthExceeded, "The link's budget is spent.",
            hint: "It goes on when the budget renews; `godwit link status` says when.",
            details: ["limit": "link_budget"])
        error.sentNothing = true
        return error
    }

    /// Four frames at the rate of the link, as a peer answers with the same profile.
    private var expectedAnswer: ByteCount {
        let frame = FrameSizing.payload(rate: profile.bandwidthDown, seconds: profile.frameSeconds)
        return ByteCount(4 * (frame.bytes + 128)) + Self.overhead
    }

    private func repeated(_ bytes: ByteCount) -> ByteCount {
        ByteCount(
            Int((Double(bytes.bytes) / (1 - min(max(profile.packetLoss, 0), Profile.packetLossMax))).rounded(.up)))
    }

    /// Time of the sender on the air, rounded up to milliseconds.
    private func airtime(of bytes: ByteCount) -> Duration {
        guard profile.bandwidthUp.bitsPerSecond > 0 else { return .zero }
        let time = Double(bytes.bytes) * 8_000 / Double(profile.bandwidthUp.bitsPerSecond)
        return .milliseconds(Int64(min(time, 1e15).rounded(.up)))
    }

    // MARK: After

    /// - Parameter duration: of the exchange; a sender was not on the air for longer. Nil: not known.
    func settle(_ booking: Booking, sent: ByteCount, received: ByteCount, duration: Duration?) async {
        // Nothing went without a reservation.
        guard let reservation = reservations.removeValue(forKey: booking) else { return }
        let airtime = airtime(of: sent)
        ledger.settle(
            reservation, bytes: sent + received, airtime: duration.map { min($0, airtime) } ?? airtime,
            at: core.time.now())
        // What was reserved stays booked in the store until this is there: nothing is overspent if it fails.
        try? await save()
    }

    private func save() async throws {
        let (account, saved) = (account, ledger.saved.canonicalText)
        try await core.write { transaction in try transaction.saveLedger(saved, for: account) }
    }

    // MARK: For people

    /// What may still be used: by urgent items, by others, and what has been used.
    var state: (urgent: BudgetLedger.Remaining, others: BudgetLedger.Remaining, usage: BudgetLedger.Usage) {
        let now = core.time.now()
        return (
            ledger.remaining(for: .control, at: now), ledger.remaining(for: .bulk, at: now), ledger.usage(at: now)
        )
    }
}
