import GodwitProtocol

/// Something that has not come yet and without which an item cannot be used.
enum Awaited: Hashable {
    /// A (newer) device list of a user.
    case user(UserID)
    /// A member list or a change of a channel's membership.
    case channel(ChannelID)
    /// The starting object of an epoch, by its name.
    case epoch([UInt8])
    /// The first message of a session, by the session's id.
    case session(String)

    /// How it stands in the store.
    var text: String {
        switch self {
        case .user(let user): "user:" + user.text
        case .channel(let channel): "channel:" + channel.text
        case .epoch(let name): "epoch:" + Base64.encode(name)
        case .session(let id): "session:" + id
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
    init(_ code: ClientWarning.Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

/// Thrown while a message is looked at: it was written before this device joined, and is not for it to read.
struct BeforeJoining: Error {}
