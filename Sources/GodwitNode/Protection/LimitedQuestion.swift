/// What a frame may bring too often, for an answer costs this node and its links more than the question costs who asks. The
/// raw value is the name of the limit of a user.
enum LimitedQuestion: String, CaseIterable {
    /// Keys of a user: whoever asks for many learns who exists, and uses up one-time pre-keys.
    case lookup = "claims"
    /// Messages that a reader lacks: 300 bytes bring up to 128 KiB.
    case messages = "message_requests"

    /// The limit of a neighbour, of all its users.
    var neighbourLimit: String { "neighbour_" + rawValue }
    /// Begins what such items wait for; no user or channel is called so.
    var key: String { rawValue + "/" }
}
