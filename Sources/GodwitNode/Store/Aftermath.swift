import GodwitProtocol

/// What has to happen once a transaction is durable.
struct Aftermath: Sendable {
    /// For whom something new waits.
    var touched: Set<Party> = []
    /// Devices that have left their user's list.
    var revoked: Set<Party> = []
    /// The keys by which senders of frames are found are others now.
    var keysChanged = false

    mutating func add(_ other: Aftermath) {
        touched.formUnion(other.touched)
        revoked.formUnion(other.revoked)
        keysChanged = keysChanged || other.keysChanged
    }
}

/// Carries out what follows a durable change.
struct AftermathHandler: Sendable {
    let notifier: QueueNotifier
    let cache: HintCache
    let presence: PresenceBoard

    func carryOut(_ aftermath: Aftermath) async {
        if aftermath.keysChanged { cache.clear() }
        for case .device(let user, let device) in aftermath.revoked { await presence.revoke(user, device) }
        notifier.notify(aftermath.touched)
    }
}
