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
    /// Version up to which changes are known, in order; 0: none.
    var applied: Int64
    /// No epoch of a lower version may be written in: it has devices that have left.
    var departed: Int64
    /// Version of the last list of members; changes before it may have been missed.
    var listed: Int64
    /// Version by which this device was out last; 0: it never was, nil: not known.
    var ended: Int64?
    /// The command with which this user goes is under way.
    var isLeaving: Bool

    /// The last version that this device knows of; nil: not known.
    var known: Int64? { applied > 0 ? applied : ended }

    init(_ row: Row) throws {
        self.row = row["channel"]
        id = try ClientTransaction.stored {
            ChannelID(name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
        }
        state = ChannelSummary.State(rawValue: row["state"]) ?? .refused
        applied = row["applied"]
        departed = row["departed"]
        listed = row["listed"]
        ended = row["ended"]
        isLeaving = row.optionalBlob("leaves") != nil
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
    ///
    /// - Parameter request: what the command says besides the channel: settings, members, an invite.
    /// - Throws: `ProtocolError` 1002 where this device is in the channel and creates it, or is leaving it.
    func enter(_ id: ChannelID, creating: Bool, request: JSONObject = [:]) throws {
        let known = try channel(id)
        if let known, known.state == .joining || known.state == .member {
            guard !known.isLeaving else {
                throw ProtocolError(
                    .insufficientPermissions, "This device is leaving the channel.",
                    hint: "Join again when a contact has brought the answer.")
            }
            guard creating else { return }
            throw ProtocolError(
                .insufficientPermissions, "The channel exists already.", hint: "Send to it, or choose another name.")
        }
        let command = try askToEnter(id, creating: creating, request, version: known == nil ? 0 : known?.known)
        try run(
            """
            INSERT INTO client_channel (name, node, state, created, command, request, asked)
            VALUES (?, ?, 'joining', ?, ?, ?, ?)
            ON CONFLICT (name, node) DO UPDATE SET state = 'joining', created = excluded.created,
              command = excluded.command, request = excluded.request, asked = excluded.asked, attempts = 0, error = NULL,
              leaves = NULL
            """, [id.name.text, id.node.text, creating, Data(command), Data(request.canonicalBytes()), uptime])
    }

    /// - Parameter version: the last one that this device knows, so that a join which comes after its own leaving is told
    ///   from one that was under way before.
    private func askToEnter(
        _ id: ChannelID, creating: Bool, _ request: JSONObject, version: Int64?
    ) throws -> [UInt8] {
        var data = request.setting("channel", .string(id.name.text)).setting("channel_node", .string(id.node.text))
            .setting("pre_key", .object(try currentPreKey().object))
        if !creating, let version { data["version"] = .integer(version) }
        return try command(creating ? "create_channel" : "join_channel", data)
    }

    private func request(_ row: Row) throws -> JSONObject {
        try Self.stored { try JSONObject.parse(row.blob("request")) }
    }

    /// Sends joins again that have been handed over and brought no epoch for too long: the next sponsor gets its turn.
    /// So too those that have expired here.
    func repeatJoins() throws {
        let waiting = try rows(
            "SELECT * FROM client_channel WHERE state = 'joining' AND created = 0 AND leaves IS NULL")
        for row in waiting {
            let channel = try KnownChannel(row)
            let attempts: Int64 = row["attempts"]
            let asked: Int64 = row["asked"]
            var patience = min(Self.joinPatience << min(attempts, 16), Self.joinPatienceMax)
            // Who is in already reads on meanwhile as far as it can, and each attempt costs all members a change.
            if channel.applied > 0, attempts > 0 { patience = try self.patience(patience) }
            // An uptime below that of the asking means that the machine was started anew.
            guard uptime < asked || uptime - asked >= patience else { continue }
            let custody = try spool.custody(of: ItemID(row.blob("command")))
            guard !custody.contains(where: { $0.state == .waiting || $0.state == .framed }) else { continue }
            let command: [UInt8]
            do {
                command = try askToEnter(channel.id, creating: false, request(row), version: channel.known)
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
            do {
                try enterAgain(row)
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
        }
    }

    /// Attempts to come into a channel up to which a refused one goes again by itself: a node that is never content must
    /// not keep a link busy.
    private static let refusedAttemptsMax: Int64 = 8

    /// Asks again what this command asked for, if that is to create or join a channel.
    func enterAgain(_ refused: [UInt8]) throws -> Bool {
        let row = try row(
            """
            SELECT * FROM client_channel WHERE command = ? AND state = 'joining' AND leaves IS NULL AND attempts < ?
            """, [Data(refused), Self.refusedAttemptsMax])
        if let row { try enterAgain(row) }
        return row != nil
    }

    private func enterAgain(_ row: Row) throws {
        let (channel, isCreator) = (try KnownChannel(row), row["created"] as Bool)
        let command = try askToEnter(
            channel.id, creating: isCreator, request(row), version: isCreator ? nil : channel.known)
        try run(
            "UPDATE client_channel SET command = ?, asked = ?, attempts = attempts + 1, expired = 0 WHERE channel = ?",
            [Data(command), uptime, channel.row])
    }
}
