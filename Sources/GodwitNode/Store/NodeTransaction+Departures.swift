import FoundationEssentials
import GRDB
import GodwitProtocol

/// What a device was in a channel from which it is out.
struct Stay {
    /// The version of the membership that a message was written under.
    var membership: Int64
    /// Its user's, last.
    var role: Role
    /// It was struck from its user's list.
    var endedByList: Bool
}

/// Who was a member of a channel when: what came late is judged by the epoch that it was written in.
extension NodeTransaction {
    /// Stays of devices that are remembered of one channel, beyond those that ended with the same change.
    static let departuresMax = 1_024

    /// Notes stays that the change of a version has ended; the oldest are forgotten.
    ///
    /// - Parameter isStriking: the devices were struck from their user's list.
    func noteDeparture(
        of devices: [KnownMember], from channel: KnownChannel, at version: Int64, isStriking: Bool = false
    ) throws {
        for device in devices where device.joined < version {
            try run(
                """
                INSERT OR IGNORE INTO node_departure (channel, user, device, joined, departed, role, struck)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    channel.row, device.user.text, device.device.text, device.joined, version, device.role.rawValue,
                    isStriking,
                ])
        }
        try run(
            """
            DELETE FROM node_departure WHERE channel = ?1 AND departed <
              (SELECT departed FROM node_departure WHERE channel = ?1 ORDER BY departed DESC LIMIT 1 OFFSET ?2)
            """, [channel.row, Self.departuresMax - 1])
    }

    /// Whether a device is out because it was struck from its user's list.
    func wasStruck(_ user: UserID, _ device: DeviceID, from channel: KnownChannel) throws -> Bool {
        try row(
            """
            SELECT struck FROM node_departure WHERE channel = ? AND user = ? AND device = ?
            ORDER BY departed DESC LIMIT 1
            """, [channel.row, user.text, device.text])?["struck"] ?? false
    }

    /// The version by which a device was out last; nil if it never was, or that is not known any more.
    func departure(of user: UserID, _ device: DeviceID, from channel: KnownChannel) throws -> Int64? {
        try row(
            "SELECT max(departed) AS departed FROM node_departure WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])?["departed"]
    }

    /// What the author's device was when the epoch of its message was the channel's; nil where it was no member then, or
    /// that is not known any more.
    func stay(of message: Message, in channel: KnownChannel) throws -> Stay? {
        guard let epoch = message.epoch, let membership = try membership(of: epoch, in: channel),
            let row = try row(
                """
                SELECT role, struck FROM node_departure
                WHERE channel = ?1 AND user = ?2 AND device = ?3 AND joined <= ?4 AND departed > ?4
                """, [channel.row, message.author.text, message.device.text, membership])
        else { return nil }
        return Stay(
            membership: membership, role: Role(rawValue: row["role"]) ?? .owner, endedByList: row["struck"])
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
