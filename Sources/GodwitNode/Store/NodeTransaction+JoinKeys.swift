import FoundationEssentials
import GRDB
import GodwitProtocol

/// Secrets of epochs on their way from a change's sponsor to those who joined with it (D-14).
extension NodeTransaction {
    /// - Throws: `MembershipUnknown` where the change of a channel of another node has not come yet; `ProtocolError` 1002
    ///   unless it comes from the change's sponsor, 2002, 3000.
    func accept(_ key: EpochKey, from peer: Party) throws {
        let isOwn = key.channel.node == context.id
        let known = try channel(key.channel)
        guard let channel = known, key.version <= channel.version else {
            // Only who is of the channel gets it asked for.
            guard !isOwn, key.to.user.node == context.id || known != nil else {
                throw ProtocolError.unknown(key.channel)
            }
            throw MembershipUnknown(channel: key.channel, version: key.version, needsList: known == nil)
        }
        guard
            let row = try row(
                "SELECT sponsor FROM node_epoch WHERE channel = ? AND membership = ?", [channel.row, key.version]),
            case .device(let user, let device) = try Party(row["sponsor"] as String)
        else {
            // The members came as a list: the joiner cannot use it either, and asks again.
            guard isOwn || key.version > channel.listed else { return }
            throw ProtocolError(.channelNotFound, "The key belongs to no membership known here.")
        }
        let isFromHub = !isOwn && peer == .node(key.channel.node)
        guard isFromHub || peer == .device(user, device) || peer == .node(user.node) else {
            throw ProtocolError(.insufficientPermissions, "The key of an epoch comes from the change's sponsor.")
        }
        // Whoever has gone meanwhile needs none, and who cannot be reached asks again: nobody has to be told.
        guard try isMember(key.to, of: channel) else { return }
        let next: Party
        do { next = try hop(towards: key.to, via: key.channel.node) } catch let error as ProtocolError
            where !error.isOfStore
        { return }
        guard next != peer else { return }
        try route(key.object, to: next, about: [user])
    }

    private func isMember(_ device: DeviceAddress, of channel: KnownChannel) throws -> Bool {
        try row(
            "SELECT 1 FROM node_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, device.user.text, device.device.text]) != nil
    }
}
