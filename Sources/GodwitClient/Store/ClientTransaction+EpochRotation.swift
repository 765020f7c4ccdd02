import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Epochs that start by time (D-14): the first sending after a day or after 1,000 messages draws a fresh secret.
extension ClientTransaction {
    /// Milliseconds of uptime, and messages seen, after which an epoch's secret has served.
    static let epochTime: Int64 = 86_400_000
    static let epochMessages: Int64 = 1_000
    /// Milliseconds of uptime for which the keys of other members count as new: within it a device's old pre-key is kept.
    static let memberKeysTime: Int64 = 604_800_000
    /// Milliseconds of uptime until members' keys are asked for again.
    private static let memberKeysPatience: Int64 = 86_400_000

    // MARK: Starting

    /// Starts an epoch with a fresh secret if the one that is written in has served. Writing does not wait: where keys of
    /// members are missing they are asked for, and the old epoch serves until they have come.
    func rotateIfDue(_ channel: KnownChannel) throws {
        guard channel.state == .member, let current = try writingEpoch(of: channel),
            let row = try row("SELECT fresh, sent FROM client_epoch WHERE name = ?", [Data(current.name)])
        else { return }
        let (age, fresh, sent) = (try age(), row["fresh"] as Int64, row["sent"] as Int64)
        guard age - fresh >= Self.epochTime / 2 || sent >= Self.epochMessages / 2 else { return }
        let isDue = age - fresh >= Self.epochTime || sent >= Self.epochMessages
        do {
            // Whoever writes before asks in time, so that the keys are there when it is due.
            try inSavepoint {
                if isDue {
                    try self.rotate(channel, after: current)
                } else if try self.newKeys(of: channel) == nil {
                    try self.askForKeys(of: channel)
                }
            }
        } catch is Waiting {
            return
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            return
        } catch let rejected as Rejected {
            try warn(rejected, about: channel.id.text)
        }
    }

    private func rotate(_ channel: KnownChannel, after current: KnownEpoch) throws {
        let members = try members(of: channel, at: channel.applied)
        guard members.devices.contains(context.party), let joiners = try newKeys(of: channel) else {
            return try askForKeys(of: channel)
        }
        let secret = try EpochSecret.generate()
        let rotation = current.membership == channel.applied ? current.depth + 1 : 1
        guard rotation <= EpochStart.rotationMax else { return }
        let unsigned = EpochStart.unsigned(
            channel: channel.id, predecessor: current.name, membership: channel.applied, deviceSet: members.hash,
            commitment: secret.commitment, author: context.user, device: context.device, created: now,
            models: try models(of: current, joiners), rotation: rotation)
        try distribute(unsigned, secret, to: joiners, in: channel)
    }

    private func models(of epoch: KnownEpoch, _ joiners: [Joiner]) throws -> Set<UInt8> {
        var models = epoch.models
        for joiner in joiners {
            if let known = try device(joiner.userID, joiner.device) { models.formIntersection(known.models) }
        }
        return models
    }

    // MARK: Keys of members

    /// What a secret is wrapped to for all other members; nil where some keys are missing or may be too old.
    private func newKeys(of channel: KnownChannel) throws -> [Joiner]? {
        let came = try integer("SELECT keys_came FROM client_channel WHERE channel = ?", [channel.row]) ?? 0
        guard try age() - came < Self.memberKeysTime else { return nil }
        let members = try members(of: channel, at: channel.applied)
        return try preKeys(of: Set(members.devices), in: channel, at: channel.applied)
    }

    /// Asks the channel's node for the pre-keys that have changed.
    private func askForKeys(of channel: KnownChannel) throws {
        guard
            let row = try row(
                "SELECT keys_asked, keys_upto FROM client_channel WHERE channel = ?", [channel.row])
        else { return }
        let age = try age()
        if let asked: Int64 = row["keys_asked"], age - asked < Self.memberKeysPatience { return }
        let question = MemberKeys(
            channel: channel.id, version: max(1, channel.applied), to: context.party, keys: [],
            after: row["keys_upto"])
        try enqueue(question.object, nonce: nextCounter())
        try run("UPDATE client_channel SET keys_asked = ? WHERE channel = ?", [age, channel.row])
    }

    /// The answer: newer keys take the place of older ones.
    func takeChanged(_ keys: MemberKeys, upTo: Int64, in channel: KnownChannel) throws {
        for joiner in keys.keys {
            try run(
                """
                UPDATE client_member SET pre_key = ?, keyless = 0
                WHERE channel = ? AND user = ? AND device = ? AND until IS NULL
                """,
                [
                    Data(joiner.preKey.object.canonicalBytes()), channel.row, joiner.userID.text, joiner.device.text,
                ])
        }
        try run(
            """
            UPDATE client_channel SET keys_upto = max(keys_upto, ?), keys_came = ?, keys_asked = NULL WHERE channel = ?
            """, [upTo, try age(), channel.row])
    }

    // MARK: Taking

    /// An epoch that another member's device has started by time: it belongs to the membership as it was, and its secret
    /// is wrapped for every device in that.
    func takeRotation(_ start: EpochStart, in channel: KnownChannel) throws {
        guard channel.applied >= start.membership else { throw Waiting(.membership(channel.id, start.membership)) }
        let members = try members(of: channel, at: start.membership)
        guard members.hash == start.deviceSet else {
            if start.membership < channel.listed { return try takeUnverified(start, in: channel) }
            throw Rejected(.epochMismatch, "An epoch is for other devices than the channel had.")
        }
        guard members.devices.contains(start.sponsor) else {
            throw Rejected(.epochMismatch, "An epoch was started by a device that is no member.")
        }
        try checkSponsor(of: start)
        guard let secret = try wrappedSecret(of: start) else {
            // Parts for others come first; only the last one says that there is nothing for this device.
            if !start.hasMore { try askAgain(for: channel) }
            return
        }
        guard secret.commitment == start.commitment else {
            throw Rejected(
                .epochMismatch, "An epoch's secret is not the one that its sponsor committed to.",
                hint: "The sponsor's device gave members different secrets, or is broken.")
        }
        try adopt(EpochOrigin(start), secret, in: channel)
    }

    /// An epoch of a membership that this device never knew, for it was dark and then got a list of the members at once.
    /// For whom it is cannot be verified, so nothing is written in it; what others have written in it is read.
    func takeUnverified(_ start: EpochStart, in channel: KnownChannel) throws {
        try checkSponsor(of: start)
        // Without a secret its messages wait for one, and are asked for.
        guard let secret = try wrappedSecret(of: start), secret.commitment == start.commitment else { return }
        try adoptToRead(EpochOrigin(start), secret, in: channel)
    }

    /// Reads in an epoch from whoever was a member at some time, and does not write in it.
    func adoptToRead(_ origin: EpochOrigin, _ secret: EpochSecret, in channel: KnownChannel) throws {
        try adopt(origin, secret, in: channel, members: everyMember(of: channel))
        try putAside(origin.name, in: channel)
        try noteEnds(in: channel)
    }

    // MARK: Order

    /// Puts an epoch that was just adopted in its place among the others: of several that follow the same one, that counts
    /// which the channel's node does not call a side epoch.
    func noteSuccession(of origin: EpochOrigin, in channel: KnownChannel) throws {
        let age = try age()
        let before = try origin.predecessor.flatMap { name in
            try row("SELECT membership, depth, side, fresh, sent FROM client_epoch WHERE name = ?", [Data(name)])
        }
        var side: Int64 = origin.isSide ? 1 : 0
        if let rotation = origin.rotation {
            if let before {
                let inRow = before["membership"] as Int64 == origin.membership ? before["depth"] as Int64 : 0
                if rotation != inRow + 1 || before["side"] as Int64 == 1 { side = 1 }
            } else if side == 0 {
                side = 2
            }
        }
        try run(
            """
            UPDATE client_epoch SET predecessor = ?, depth = ?, side = ?, fresh = ?, sent = ? WHERE name = ?
            """,
            [
                origin.predecessor.map { Data($0) }, origin.rotation ?? 0, side,
                origin.isFresh ? age : before?["fresh"] as Int64? ?? age,
                origin.isFresh ? 0 : before?["sent"] as Int64? ?? 0,
                Data(origin.name),
            ])
        if side == 0 { try settleSuccessors(of: origin, in: channel) }
        try noteEnds(in: channel)
    }

    private func settleSuccessors(of origin: EpochOrigin, in channel: KnownChannel) throws {
        if let predecessor = origin.predecessor, origin.rotation != nil {
            for row in try rows(
                """
                SELECT name FROM client_epoch
                WHERE channel = ? AND predecessor = ? AND name <> ? AND depth > 0 AND side <> 1
                """, [channel.row, Data(predecessor), Data(origin.name)])
            {
                try putAside(row.blob("name"), in: channel)
            }
        }
        // What came before the one that it follows.
        try run(
            """
            WITH RECURSIVE after (name) AS (SELECT ?2 UNION SELECT e.name FROM client_epoch e JOIN after a
              ON e.channel = ?1 AND e.predecessor = a.name WHERE e.side = 2)
            UPDATE client_epoch SET side = 0 WHERE channel = ?1 AND side = 2 AND name IN (SELECT name FROM after)
            """, [channel.row, Data(origin.name)])
    }

    /// An epoch and all that follow it by time are read and not written in.
    private func putAside(_ name: [UInt8], in channel: KnownChannel) throws {
        try run(
            """
            WITH RECURSIVE after (name) AS (SELECT ?2 UNION SELECT e.name FROM client_epoch e JOIN after a
              ON e.channel = ?1 AND e.predecessor = a.name WHERE e.depth > 0)
            UPDATE client_epoch SET side = 1 WHERE channel = ?1 AND name IN (SELECT name FROM after)
            """, [channel.row, Data(name)])
    }

    /// The channel's node has picked another one after this one had come.
    func noteSide(_ start: EpochStart) throws {
        guard start.isSide, start.rotation != nil, let channel = try channel(start.channel) else { return }
        try putAside(start.name, in: channel)
        try noteEnds(in: channel)
    }

    private func noteEnds(in channel: KnownChannel) throws {
        let writing = try newestEpoch(of: channel)?.name
        try run(
            """
            UPDATE client_epoch SET ended = CASE WHEN name IS ?2 THEN NULL ELSE coalesce(ended, ?3) END
            WHERE channel = ?1 AND next IS NOT NULL
            """, [channel.row, writing.map { Data($0) }, try age()])
    }

    // MARK: Forgetting

    /// Milliseconds of uptime for which an epoch is read after another has taken its place: as long as messages live, and
    /// a week for those on a stick.
    static let epochKept = Message.defaultLifetime + 604_800_000

    /// Lets go of epochs whose last messages have had time to come.
    func forgetEpochs() throws {
        try run("DELETE FROM client_epoch WHERE ended <= ? AND next IS NOT NULL", [try age() - Self.epochKept])
    }

    /// A message that was shown after all before it proves that its author writes in no epoch before its own any more: the
    /// author's chains in those have been read to their end (D-14).
    func forgetChains(before message: Message) throws {
        guard let epoch = message.epoch else { return }
        let author: StatementArguments = [message.conversation.text, message.author.text, message.device.text]
        let chains: StatementArguments = [Data(epoch), message.author.text, message.device.text]
        guard try row("SELECT 1 FROM client_chain \(Self.earlier) LIMIT 1", chains) != nil else { return }
        let isWhole =
            try row("SELECT 1 FROM client_message WHERE hash = ? AND shown IS NOT NULL", [Data(message.hash.bytes)])
            != nil
            && row(
                """
                SELECT 1 FROM client_message
                WHERE conversation = ?1 AND user = ?2 AND device = ?3 AND (shown IS NULL OR gap = 1 OR lost IS NOT NULL)
                UNION ALL SELECT 1 FROM client_want WHERE conversation = ?1 AND user = ?2 AND device = ?3 LIMIT 1
                """, author) == nil
        guard isWhole else { return }
        try run("DELETE FROM client_chain \(Self.earlier)", chains)
    }

    /// An author's chains in the epochs that one follows from.
    private static let earlier = """
        WHERE user = ?2 AND device = ?3 AND epoch IN (
          WITH RECURSIVE before (name) AS (
            SELECT predecessor FROM client_epoch WHERE name = ?1
            UNION SELECT e.predecessor FROM client_epoch e JOIN before b ON e.name = b.name)
          SELECT name FROM before)
        """
}
