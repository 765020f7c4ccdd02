import GodwitProtocol

/// Something that has not come yet and without which an item cannot be used.
indirect enum Awaited: Hashable, Sendable {
    /// A device list of a user in which the device stands.
    case device(UserID, DeviceID)
    /// Any device list of a user.
    case user(UserID)
    /// A member list or any change of a channel's membership.
    case channel(ChannelID)
    /// One change of a channel's membership.
    case membership(ChannelID, Int64)
    /// A change with which somebody has joined, by the key id of the epoch that it starts.
    case change([UInt8])
    /// What starts an epoch, by its name.
    case epoch([UInt8])
    /// The first message of a session, by the session's id.
    case session(String)
    /// The key of a message's body, which was not wrapped for this device.
    case bodyKey(MessageHash)
    /// The same, by a message that has come in another way meanwhile: only its own key is to go.
    case spending(Awaited)

    static let spendingPrefix = "spent:"

    /// How it stands in the store.
    var text: String {
        switch self {
        case .device(let user, let device): "device:" + user.text + "/" + device.text
        // "user:" stands for a device in stores of the first version.
        case .user(let user): "contact:" + user.text
        case .channel(let channel): "channel:" + channel.text
        case .membership(let channel, let version): "membership:" + channel.text + " \(version)"
        case .change(let keyID): "change:" + Base64.encode(keyID)
        case .epoch(let name): "epoch:" + Base64.encode(name)
        case .session(let id): "session:" + id
        case .bodyKey(let hash): "key:" + hash.base64
        case .spending(let awaited): Self.spendingPrefix + awaited.text
        }
    }
}

/// Thrown while an item is looked at: keep it until this has come.
struct Waiting: Error {
    let awaited: Awaited
    init(_ awaited: Awaited) { self.awaited = awaited }
}

/// Thrown while an item is looked at: it cannot be used, and why.
struct Rejected: Error {
    let code: ClientWarning.Code
    let message: String
    let hint: String?
    /// What `keyChanged` is about.
    let change: KeyChange?
    init(_ code: ClientWarning.Code, _ message: String, hint: String? = nil, change: KeyChange? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.change = change
    }
}

/// Thrown while a message is looked at: it was written before this device joined or after it left, and is not for it to read.
struct BeforeJoining: Error {}

/// Thrown while a message from before the own coming is looked at that is to be read all the same, for the channel shares
/// its history: its author seals it again.
struct EarlierEpoch: Error {}
