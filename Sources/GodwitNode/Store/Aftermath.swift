import GodwitProtocol
import GodwitSpool
import Synchronization

/// What was queued for a device, for whoever is connected: it need not be read back from the spool.
struct FreshItem: Sendable {
    var destination: Party
    /// The item that came before it for the same device; nil if that is not known.
    var after: Int64?
    var item: SpoolBody
}

/// What has to happen once a transaction is durable.
struct Aftermath: Sendable {
    /// For whom something new waits.
    var touched: Set<Party> = []
    /// What was queued for devices, in order.
    var fresh: [FreshItem] = []
    /// Devices that have left their user's list.
    var revoked: Set<Party> = []
    /// The keys by which senders of frames are found are others now.
    var keysChanged = false
    /// Something was taken out that must not stay readable in the write-ahead log.
    var erased = false
    /// What connected users are told at once, and nobody else ever.
    var events: [Event] = []
    /// Users whose account has ended.
    var ended: Set<UserID> = []

    /// Sessions that ended, by name.
    var endedSessions: [UserID: Set<String>] = [:]

    /// Questions of devices for custody, whose answers need the links.
    var questions: [Party: CustodyQuestion] = [:]

    struct Event: Sendable {
        var event: SocketEvent
        var audience: Set<UserID>

        init(_ event: SocketEvent, to audience: Set<UserID>) {
            self.event = event
            self.audience = audience
        }
    }

    mutating func add(_ other: Aftermath) {
        touched.formUnion(other.touched)
        fresh += other.fresh
        revoked.formUnion(other.revoked)
        keysChanged = keysChanged || other.keysChanged
        erased = erased || other.erased
        events += other.events
        ended.formUnion(other.ended)
        endedSessions.merge(other.endedSessions) { $0.union($1) }
        questions.merge(other.questions) { $1 }
    }
}

/// Carries out what follows a durable change.
struct AftermathHandler: Sendable {
    let notifier: QueueNotifier
    let cache: HintCache
    let presence: PresenceBoard
    /// Read by the housekeeping, which truncates the log.
    let erased = ErasureMark()
    let custody = CustodyAnswers()

    func carryOut(_ aftermath: Aftermath) async {
        if aftermath.keysChanged { cache.clear() }
        if aftermath.erased { erased.set() }
        for case .device(let user, let device) in aftermath.revoked { await presence.revoke(user, device) }
        for user in aftermath.ended { await presence.end(user) }
        for (user, names) in aftermath.endedSessions { await presence.end(user, sessions: names) }
        notifier.notify(aftermath.touched, aftermath.fresh)
        for event in aftermath.events { await presence.push(event.event, to: event.audience) }
        for question in aftermath.questions.values { await custody.carryOut(question) }
    }
}

/// Whether something was taken out of the store since the log was truncated last.
final class ErasureMark: Sendable {
    private let isSet = Mutex(false)

    func set() { isSet.withLock { $0 = true } }

    func take() -> Bool {
        isSet.withLock { isSet in
            defer { isSet = false }
            return isSet
        }
    }
}
