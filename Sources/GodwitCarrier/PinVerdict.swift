import Synchronization

/// Remembers that a connection was refused because of its key: TLS itself only says that the handshake failed.
final class PinVerdict: Sendable {
    private let refused = Mutex(false)
    var isRefused: Bool { refused.withLock { $0 } }
    func refuse() { refused.withLock { $0 = true } }
}
