import Synchronization

/// Something that happened and is not yet acted on; several times are one.
final class Notice: Sendable {
    private let isGiven = Mutex(false)

    func give() { isGiven.withLock { $0 = true } }

    /// True if it was given since the last call.
    func take() -> Bool {
        isGiven.withLock { isGiven in
            defer { isGiven = false }
            return isGiven
        }
    }
}
