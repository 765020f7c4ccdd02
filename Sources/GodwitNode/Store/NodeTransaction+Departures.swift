import FoundationEssentials
import GRDB
import GodwitProtocol

/// Who was a member of a channel when: what came late is judged by the epoch that it was written in.
extension NodeTransaction {
    /// Stays of devices that are remembered of one channel, beyond those that ended with the same change.
    static let departuresMax = 1_024

    /// Notes stays that the change of a version has ended; the oldest are forgotten.
    func noteDeparture(of devices: [KnownMember], from channel: KnownChannel, at version: Int64) throws {
        for device in devices where device.joined < version {
            try run(
                """
                INSERT OR IGNORE INTO node_departure (channel, user, device, joined, departed, role)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    channel.row, device.user.text, device.device.text, device.joined, version, device.role.rawValue,
                ])
        }
        try run(
            """
            DELETE FROM node_departure WHERE channel = ?1 AND departed <
              (SELECT departed FROM node_departure WHERE channel = ?1 ORDER BY departed DESC LIMIT 1 OFFSET ?2)
            """, [channel.row, Self.departuresMax - 1])
    }

    /// The version by which a device was out last; nil if it never was, or that is not known any more.
    func departure(of user: UserID, _ device: DeviceID, from channel: KnownChannel) throws -> Int64? {
        try row(
            "SELECT max(departed) AS departed FROM node_departure WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])?["departed"]
    }

    /// What the author's device was when the epoch of its message was the channel's; nil where it was no member then, or
    /// that is not known any more.
    func stay(of message: Message, in channel: KnownChannel) throws -> (membership: Int64, role: Role)? {
        guard let epoch = message.epoch, let membership = try membership(of: epoch, in: channel),
            let row = try row(
                """
                SELECT role FROM node_departure
                WHERE channel = ?1 AND user = ?2 AND device = ?3 AND joined <= ?4 AND departed > ?4
                """, [channel.row, message.author.text, message.device.text, membership])
        else { return nil }
        return (membership, Role(rawValue: row["role"]) ?? .owner)
    }

    /// The version of the membership that an epoch belongs to.
    private func membership(of epoch: [UInt8], in channel: KnownChannel) throws -> Int64? {
        try row(
            """
            SELECT membership FROM node_epoch WHERE channel = ?1 AND name = ?2
            UNION ALL SELECT membership FROM node_rotation WHERE channel = ?1 AND name = ?2 AND membership > 0
            """, [channel.row, Data(epoch)])?["membership"]
    }
}
