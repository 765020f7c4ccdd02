import GodwitContact
import GodwitLink
import GodwitProtocol

/// What the contact plan of a link leaves: no exchange is begun that cannot end in its window.
struct ContactWindow: Sendable {
    /// Sealed bytes of the smallest exchange: a loose frame.
    static let least = ByteCount(256)

    private let plan: ContactPlan
    private let rate: BitRate
    /// A round trip, and the peer's next frame.
    private let answer: Duration
    private let wake: WakeRule

    init(_ profile: Profile) {
        plan = profile.contactPlan
        let kept = Double(profile.bandwidthUp.bitsPerSecond) * (1 - profile.packetLoss)
        rate = BitRate(bitsPerSecond: Int(min(kept, 1e15)))
        let frame = FrameSizing.payload(rate: profile.bandwidthDown, seconds: profile.frameSeconds)
        answer =
            profile.latency + .seconds(Double(frame.bytes) * 8 / Double(max(profile.bandwidthDown.bitsPerSecond, 1)))
        wake = profile.wakeOnUrgent
    }

    /// Whether an exchange may begin, urgent items that wake the link aside.
    func allows(at time: Timestamp) -> Bool {
        guard !plan.isAlways else { return true }
        guard plan.isOpen(at: time) else { return false }
        return room(at: time, nil).map { $0 >= Self.least } ?? true
    }

    /// When one may begin; nil: never. Called where none may begin now.
    func opens(after time: Timestamp) -> Timestamp? {
        plan.opens(after: plan.closes(after: time) ?? time)
    }

    /// The limits of the next exchange.
    func limits(_ limits: OutletLimits, at time: Timestamp) -> OutletLimits {
        guard !plan.isAlways else { return limits }
        var limits = limits
        guard plan.isOpen(at: time) else {
            // Woken by something urgent: nothing else goes. Elsewhere the window closed between two exchanges.
            limits.mostForOthers = .zero
            limits.isOver = wake != .always
            return limits
        }
        guard let room = room(at: time, limits.most) else { return limits }
        limits.most = room
        limits.isOver = room < Self.least
        return limits
    }

    private func room(at time: Timestamp, _ allowed: ByteCount?) -> ByteCount? {
        let left = plan.closes(after: time).map { Duration.milliseconds($0.milliseconds - time.milliseconds) }
        return FrameSizing.contactBytes(rate: rate, roundTrip: answer, allowed: allowed, windowLeft: left)
    }
}

extension OutletLimits {
    /// Whether these limits leave less than others.
    func keepsBack(besides others: OutletLimits) -> Bool {
        most?.bytes ?? .max < others.most?.bytes ?? .max
            || mostForOthers?.bytes ?? .max < others.mostForOthers?.bytes ?? .max
    }
}
