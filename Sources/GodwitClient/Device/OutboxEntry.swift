public import GodwitProtocol

/// A message that was written on this device.
public struct OutboxEntry: Sendable, Hashable {
    /// How far it has come.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Keys of the reader or an epoch of the channel are missing; it is sealed once they come.
        case waitingKeys = "waiting_keys"
        /// Encrypted, signed and queued for the home node.
        case sealed
        /// The home node has taken custody.
        case atNode = "at_node"
        /// A reader's device has said that it has read it (direct messages only).
        case delivered
        /// It goes no further; `error` says why.
        case refused
        case expired
    }

    /// Grows with each message that is written.
    public var row: Int64
    public var target: MessageTarget
    public var conversation: Conversation
    /// Clear content.
    public var content: JSONObject
    public var created: Timestamp
    public var state: State
    /// From `sealed` on.
    public var hash: MessageHash?
    public var error: ProtocolError?
    /// It was taken back: its content is gone.
    public var isDeleted = false
    /// The reader has said that it was read (direct messages only; readers need not say so).
    public var wasRead = false
    /// Every node that it goes to from the home node has it, as the home node said when it was asked.
    public var wasForwarded = false
    /// `content` is that of a later edit.
    public var isEdited = false
    public var reactions: [Reaction] = []
    /// The message that this one edits or reacts to; it is shown there.
    public var relatesTo: MessageID?

    public var id: MessageID? { hash?.id }
    /// The text, or what stands beside a file.
    public var text: String { content["text"]?.string ?? content["caption"]?.string ?? "" }
    public var attachment: Attachment? { Attachment(content) }
}
