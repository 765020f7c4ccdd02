import FoundationEssentials
import GRDB
import GodwitProtocol

/// The change with which a joiner came is not known here.
struct ChangeUnknown: Error {
    /// Of the epoch that it starts.
    var keyID: [UInt8]

    var key: String { "change:" + Base32.encode(keyID) }
}

/// Secrets of epochs on their way from a change's sponsor to those who joined with it (D-14).
extension NodeTransaction {
    /// - Throws: `ChangeUnknown`; `ProtocolError` 1002 unless it comes from the change's sponsor.
    func accept(_ key: EpochKey, from peer: Party) throws {
        guard
            let row = try row(
                """
                SELECT c.*, e.sponsor FROM node_epoch e JOIN node_channel c ON c.channel = e.channel
                WHERE e.name BETWEEN ? AND ?
                """, [Data(key.keyID), Data(key.lastName)]),
            case .device(let user, let device) = try Party(row["sponsor"] as String)
        else { throw ChangeUnknown(keyID: key.keyID) }
        let channel = try KnownChannel(row)
        let isOwn = channel.id.node == context.id
        guard peer == .device(user, device) || peer == .node(user.node) || !isOwn && peer == .node(channel.id.node)
        else {
            throw ProtocolError(.insufficientPermissions, "The key of an epoch comes from the change's sponsor.")
        }
        // Whoever has gone meanwhile needs none, and who cannot be reached asks again: nobody has to be told.
        for row in try rows(
            "SELECT user FROM node_member WHERE channel = ? AND device = ?", [channel.row, key.device.text])
        {
            let member = try UserID(row["user"] as String)
            // The channel's node has sent the change ahead; on another way the key could overtake it.
            let next: Party =
                member.node == context.id
                ? .device(member, key.device) : .node(isOwn ? member.node : channel.id.node)
            guard next != peer else { continue }
            if case .node(let node) = next {
                do { try requirePeer(node) } catch let error as ProtocolError where !error.isOfStore { continue }
            } else if try listed([next]).isEmpty {
                continue
            }
            try route(key.object, to: next, about: [user])
        }
    }
}
