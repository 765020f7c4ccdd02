public import GodwitProtocol

/// Something that arrived and was not used, or that its user should know.
public struct ClientWarning: Sendable, Hashable {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A user showed another identity key than the one pinned at first sight.
        case keyChanged = "key_changed"
        /// A signature does not verify.
        case badSignature = "bad_signature"
        /// An object has another form than the protocol gives it.
        case malformed
        /// An epoch's secret, devices or sponsor are not those that were signed.
        case epochMismatch = "epoch_mismatch"
        /// A message that verifies cannot be decrypted.
        case unreadable
        /// A first contact leaves out the post-quantum key that the device has.
        case downgrade
        /// Something that is for somebody else.
        case misdirected
        /// Two messages at one place of a chain (D-3).
        case fork
        /// More is waiting than is kept; the oldest was dropped.
        case overflow
        /// Something waited for longer than messages live.
        case expired
        /// A device takes part that its user does not list.
        case unlistedDevice = "unlisted_device"
        /// This user is no member of a channel any more.
        case removed
        /// The node refused something that this device sent.
        case refused
        /// A message of this device waits on its way for a better link.
        case held
        /// A user has moved to another home node; what is written goes there.
        case moved
        /// This device's store was put back to an earlier state, or a copy of it is in use.
        case copied
    }

    /// Grows by one with each warning.
    public var row: Int64
    /// When it was given last.
    public var at: Timestamp
    public var code: Code
    /// One sentence, without payload or keys.
    public var message: String
    public var hint: String?
    /// The user, channel or message that it is about.
    public var subject: String?
    /// How often it was given, 1 or more: the same again stands here once.
    public var times: Int64
}
