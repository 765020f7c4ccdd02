/// What can go wrong with a spool itself, as opposed to a refusal that the protocol knows (`ProtocolError`).
public struct SpoolError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Another process holds the directory (D-6).
        case locked = "spool_locked"
        /// `close()` was called.
        case closed = "spool_closed"
        /// What is on disk contradicts itself.
        case corrupt = "spool_corrupt"
        /// The store is under a key that was not given, or is not this one.
        case sealed = "spool_sealed"
        /// The store is under no key, though one was given.
        case plain = "spool_plain"
        /// A newer version of the program wrote the file.
        case newer = "spool_newer"
        /// The directory cannot be made, opened or written.
        case unusable = "spool_unusable"
        /// A frame whose number is not the next one.
        case frameNumber = "spool_frame_number"
        /// A frame with an item that is not waiting.
        case notWaiting = "spool_not_waiting"
        /// An incarnation that is in use or not allowed.
        case incarnation = "spool_incarnation"
    }

    public let code: Code
    /// What went wrong, without payload, keys or addresses.
    public let message: String
    /// What the operator can do about it.
    public let hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { "\(code.rawValue): \(message)" + (hint.map { " (\($0))" } ?? "") }
}
