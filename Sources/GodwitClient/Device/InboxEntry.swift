public import GodwitProtocol

/// A message that has arrived, was verified and decrypted.
public struct InboxEntry: Sendable, Hashable {
    /// Order of showing, from 1: each author's messages in the order in which they were written.
    public var row: Int64
    public var hash: MessageHash
    public var conversation: Conversation
    public var author: UserID
    public var device: DeviceID
    /// Place in the author's chain, from 0.
    public var sequence: Int64
    /// What the author's clock said.
    public var timestamp: Timestamp
    public var received: Timestamp
    public var type: MessageType
    public var content: JSONObject
    /// The message before it never came.
    public var followsGap: Bool
    public var isRead: Bool
    /// It was taken back, by this user: its content is gone.
    public var deletedBy: UserID?
    /// It came from another device of this user, which vouches for its text.
    public var isSynced = false
    /// `content` is that of a later edit by its author.
    public var isEdited = false
    public var reactions: [Reaction] = []
    /// It has no content, and why.
    public var hole: MessageHole?
    /// It came late, sealed again by its author's device, and why.
    public var late: MessageHole?
    /// Later messages of its author's device were shown before it.
    public var isOvertaken = false

    public var isDeleted: Bool { deletedBy != nil }
    public var id: MessageID { hash.id }
    /// The text, or what stands beside a file.
    public var text: String { content["text"]?.string ?? content["caption"]?.string ?? "" }
    public var attachment: Attachment? { Attachment(content) }
}

/// A conversation in which something has arrived or was written.
public struct ConversationSummary: Sendable, Hashable {
    public var conversation: Conversation
    public var messages: Int
    public var unread: Int
    /// Of the newest message, by its author's clock.
    public var latest: Timestamp
}

/// A channel that this device has created or joined.
public struct ChannelSummary: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// The command is on its way, or an epoch has not come yet.
        case joining
        case member
        case refused
        /// Somebody has invited this user.
        case invited
        /// This user has gone or was removed, or the channel was deleted.
        case left
    }
    public var id: ChannelID
    public var state: State
    /// Member devices known here.
    public var members: Int
    /// Version of the newest membership known here.
    public var version: Int64
    /// Why it was refused.
    public var error: ProtocolError?
}

/// How a device stands.
public struct DeviceStatus: Sendable, Hashable {
    /// Messages of the outbox by state.
    public var outbox: [OutboxEntry.State: Int] = [:]
    public var inbox = 0
    public var unread = 0
    /// Messages held back until the one before comes.
    public var held = 0
    /// Items that wait for keys, epochs or members.
    public var pending = 0
    /// Messages that are asked for: missing ones, and those that could not be opened.
    public var wanted = 0
    public var warnings = 0
    /// Items waiting for the home node or in frames that it has not acknowledged.
    public var queued = 0
    public var sessions = 0
    public var channels = 0
    public var oneTimePreKeys = 0
}
