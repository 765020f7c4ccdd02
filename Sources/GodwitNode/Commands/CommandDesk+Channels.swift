import GRDB
import GodwitProtocol

/// What a session asks about channels (docs/protocol.md §9.3).
extension CommandDesk {
    /// Questions by name.
    static let channelQuestions: Set<String> = ["list_channels", "channel_info", "list_bans", "list_held"]
    /// Entries of one answer.
    private static let pageMax: Int64 = 100
    private static let pageUsual: Int64 = 50

    func answerAboutChannels(
        _ name: String, _ data: ObjectReader, in session: Session
    ) async throws -> JSONObject {
        let limit = Int(try data.optionalInteger("limit", in: 1...Self.pageMax) ?? Self.pageUsual)
        let after = try data.optionalString("after") ?? ""
        let user = session.user
        guard name != "list_channels" else {
            return try await core.read { try $0.listChannels(for: user, after: after, limit: limit) }
        }
        let node = data.object["channel_node"] == nil ? core.context.id : try data.nodeID("channel_node")
        let id = ChannelID(name: try data.channelName("channel"), node: node)
        return try await core.read { transaction in
            guard let channel = try transaction.channel(id) else { throw ProtocolError.unknownChannel }
            return switch name {
            case "channel_info": try transaction.describe(channel, for: user, after: after, limit: limit)
            case "list_held": try transaction.listHeld(of: channel, for: user, after: after, limit: limit)
            default: try transaction.listBans(of: channel, for: user, after: after, limit: limit)
            }
        }
    }
}
