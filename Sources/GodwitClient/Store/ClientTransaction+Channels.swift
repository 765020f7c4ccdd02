import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// A channel as the device's store has it.
struct KnownChannel {
    var row: Int64
    var id: ChannelID
    var state: ChannelSummary.State

    init(_ row: Row) throws {
        self.row = row["channel"]
        id = try ClientTransaction.stored {
            ChannelID(name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
        }
        state = ChannelSummary.State(rawValue: row["state"]) ?? .refused
    }
}

extension ClientTransaction {
    func channel(_ id: ChannelID) throws -> KnownChannel? {
        try row("SELECT * FROM client_channel WHERE name = ? AND node = ?", [id.name.text, id.node.text])
            .map(KnownChannel.init)
    }

    /// Milliseconds of uptime after which a join without an epoch is sent again; doubles with each attempt.
    static let joinPatience: Int64 = 60_000
    private static let joinPatienceMax: Int64 = 3_600_000

    /// Sends `create_channel` or `join_channel`; a join that is under way or done is left alone.
    func enter(_ id: ChannelID, creating: Bool) throws {
        let known = try channel(id)
        if let known, known.state != .refused {
            guard creating else { return }
            throw ProtocolError(
                .insufficientPermissions, "The channel exists already.", hint: "Send to it, or choose another name.")
        }
        let command = try askToEnter(id, creating: creating)
        try run(
            """
            INSERT INTO client_channel (name, node, state, created, command, asked) VALUES (?, ?, 'joining', ?, ?, ?)
            ON CONFLICT (name, node) DO UPDATE SET state = 'joining', created = excluded.created,
              command = excluded.command, asked = excluded.asked, attempts = 0, error = NULL
            """, [id.name.text, id.node.text, creating, Data(command), uptime])
    }

    private func askToEnter(_ id: ChannelID, creating: Bool) throws -> [UInt8] {
        try command(
            creating ? "create_channel" : "join_channel",
            [
                "channel": .string(id.name.text), "channel_node": .string(id.node.text),
                "pre_key": .object(try currentPreKey().object),
            ])
    }

    /// Sends joins again that have been handed over and brought no epoch for too long: the next sponsor gets its turn.
    /// So too those that have expired here.
    func repeatJoins() throws {
        let waiting = try rows("SELECT * FROM client_channel WHERE state = 'joining' AND created = 0")
        for row in waiting {
            let channel = try KnownChannel(row)
            let attempts: Int64 = row["attempts"]
            let asked: Int64 = row["asked"]
            let patience = min(Self.joinPatience << min(attempts, 16), Self.joinPatienceMax)
            // An uptime below that of the asking means that the machine was started anew.
            guard uptime < asked || uptime - asked >= patience else { continue }
            let custody = try spool.custody(of: ItemID(row.blob("command")))
            guard !custody.contains(where: { $0.state == .waiting || $0.state == .framed }) else { continue }
            let command: [UInt8]
            do {
                command = try askToEnter(channel.id, creating: false)
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // Asked again once there is room. A contact, which makes room, must not fail for it.
                return
            }
            try run(
                "UPDATE client_channel SET command = ?, asked = ?, attempts = attempts + 1 WHERE channel = ?",
                [Data(command), uptime, channel.row])
        }
    }

    /// Asks again for a channel whose `create_channel` never reached the home node.
    func repeatCreations() throws {
        for row in try rows("SELECT * FROM client_channel WHERE state = 'joining' AND created = 1 AND expired = 1") {
            let channel = try KnownChannel(row)
            do {
                let command = try askToEnter(channel.id, creating: true)
                try run(
                    """
                    UPDATE client_channel SET command = ?, asked = ?, attempts = attempts + 1, expired = 0
                    WHERE channel = ?
                    """, [Data(command), uptime, channel.row])
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
        }
    }

    // MARK: Members

    func take(_ list: MemberList) throws {
        guard let channel = try channel(list.channel) else {
            throw Rejected(.misdirected, "Members of a channel arrived that this device has not joined.")
        }
        for case .device(let user, let device) in list.devices {
            try insertMember(user, device, since: list.version, came: false, in: channel)
        }
        arrived.append(.channel(channel.id))
    }

    /// - Parameter came: this device has seen it come in, so that nothing that it wrote before is out of reach here.
    private func insertMember(
        _ user: UserID, _ device: DeviceID, since: Int64, came: Bool, in channel: KnownChannel
    ) throws {
        try run(
            """
            INSERT INTO client_member (channel, user, device, since, came) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (channel, user, device) DO UPDATE
              SET since = min(since, excluded.since), came = max(came, excluded.came)
            """, [channel.row, user.text, device.text, since, came])
    }

    /// A change of membership. The home node's own are verified here; those of other nodes are the home node's to check,
    /// which knows their keys.
    func take(_ membership: Membership) throws {
        guard let channel = try channel(membership.channel) else {
            throw Rejected(.misdirected, "A change of a channel arrived that this device has not joined.")
        }
        if membership.channel.node == context.home.id {
            try KeyChecks.verify(membership.object, signedBy: context.home.publicKey, purpose: .order)
        }
        for joiner in membership.joined {
            try insertMember(joiner.userID, joiner.device, since: membership.version, came: true, in: channel)
        }
        try run(
            """
            INSERT OR IGNORE INTO client_membership (channel, version, body, has_duty) VALUES (?, ?, ?, ?)
            """,
            [
                channel.row, membership.version, Data(membership.object.canonicalBytes()),
                membership.sponsor == context.party,
            ])
        arrived += [.membership(channel.id, membership.version), .channel(channel.id)]
    }

    func membership(_ version: Int64, of channel: KnownChannel) throws -> Membership? {
        try row(
            "SELECT body FROM client_membership WHERE channel = ? AND version = ?", [channel.row, version]
        ).map { row in try Self.stored { try Membership(JSONObject.parse(row.blob("body"))) } }
    }

    /// All member devices at one version.
    func members(of channel: KnownChannel, at version: Int64) throws -> MemberList {
        let devices = try rows(
            "SELECT user, device FROM client_member WHERE channel = ? AND since <= ?", [channel.row, version]
        ).map { row in
            try Self.stored { Party.device(try UserID(row["user"] as String), try DeviceID(row["device"] as String)) }
        }
        return MemberList(channel: channel.id, version: version, devices: devices)
    }

    /// Whether this device has seen another come in; nil for one that is no member.
    func hasSeenComing(_ user: UserID, _ device: DeviceID, into channel: KnownChannel) throws -> Bool? {
        try row(
            "SELECT came FROM client_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text]
        ).map { $0["came"] }
    }

    /// The version with which a device came in, or at which it was there already.
    func since(_ user: UserID, _ device: DeviceID, in channel: KnownChannel) throws -> Int64? {
        try integer(
            "SELECT since FROM client_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])
    }
}
