/// Roles in a channel (004 §9.3), highest first.
public enum Role: String, CaseIterable, Sendable, Hashable, Comparable {
    case owner, admin, moderator, member, restricted

    /// 4 for the owner down to 0.
    public var rank: Int {
        switch self {
        case .owner: 4
        case .admin: 3
        case .moderator: 2
        case .member: 1
        case .restricted: 0
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    /// The matrix of 004 §9.3.
    public func may(_ action: ChannelAction) -> Bool {
        switch action {
        case .sendMessages, .deleteOwnMessages, .inviteUsers: self >= .member
        case .deleteOthersMessages, .banUsers: self >= .moderator
        case .changeSettings: self >= .admin
        case .deleteChannel: self == .owner
        }
    }
}

/// Rows of the permission matrix (004 §9.3).
public enum ChannelAction: String, CaseIterable, Sendable, Hashable {
    case sendMessages = "send_messages"
    case deleteOwnMessages = "delete_own_messages"
    case deleteOthersMessages = "delete_others_messages"
    case inviteUsers = "invite_users"
    case banUsers = "ban_users"
    case changeSettings = "change_settings"
    case deleteChannel = "delete_channel"
}
