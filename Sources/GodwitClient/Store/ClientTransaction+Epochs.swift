import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// An epoch as the store has it; without `next` it began before this device joined.
struct KnownEpoch {
    var name: [UInt8]
    var channel: Int64
    var membership: Int64
    var next: EpochNext?
    /// Phrase models that everybody in it can read.
    var models: Set<UInt8>
    /// How many epochs in a row have started by time, up to this one.
    var depth: Int64

    init(_ row: Row) throws {
        name = row.blob("name")
        channel = row["channel"]
        membership = row["membership"]
        depth = row["depth"]
        models = PhraseModelNumbers(text: row["models"]).numbers
        next = try row.optionalBlob("next").map { bytes in
            try ClientTransaction.stored { try EpochNext(Secret(bytes)) }
        }
    }
}

/// What starts an epoch: an object of its sponsor, or the change with which somebody has joined.
struct EpochOrigin {
    var name: [UInt8]
    var membership: Int64
    var predecessor: [UInt8]?
    var models: Set<UInt8>
    var rotation: Int64?
    var isSide = false
    /// Its secret follows from none before.
    var isFresh: Bool

    init(_ start: EpochStart) {
        name = start.name
        membership = start.membership
        predecessor = start.predecessor
        models = start.models
        rotation = start.rotation
        isSide = start.isSide
        isFresh = true
    }

    /// - Parameter models: phrase models that everybody in it can read.
    init(joinedBy membership: Membership, models: Set<UInt8>) {
        name = membership.joinHash
        self.membership = membership.version
        predecessor = membership.change.predecessor
        self.models = models
        isFresh = false
    }
}

extension ClientTransaction {
    func epoch(_ name: [UInt8]) throws -> KnownEpoch? {
        try row("SELECT * FROM client_epoch WHERE name = ?", [Data(name)]).map(KnownEpoch.init)
    }

    /// The newest readable epoch of a channel, of a given range of memberships.
    func newestEpoch(
        of channel: KnownChannel, from first: Int64 = 0, upTo version: Int64 = .max
    ) throws -> KnownEpoch? {
        try row(
            """
            SELECT * FROM client_epoch
            WHERE channel = ? AND membership >= ? AND membership <= ? AND next IS NOT NULL AND side = 0
            ORDER BY membership DESC, depth DESC, created DESC LIMIT 1
            """, [channel.row, first, version]
        ).map(KnownEpoch.init)
    }

    /// The epoch in which this device writes: none that has devices which it knows to have left (D-14).
    func writingEpoch(of channel: KnownChannel) throws -> KnownEpoch? {
        try newestEpoch(of: channel, from: channel.departed)
    }

    /// An epoch's start (D-14): checked against the membership that it belongs to, then used. What does not fit is
    /// reported and never used.
    func take(_ start: EpochStart) throws {
        guard try epoch(start.name) == nil else { return try noteSide(start) }
        guard let channel = try channel(start.channel) else {
            throw Rejected(.misdirected, "An epoch of a channel arrived that this device has not joined.")
        }
        guard channel.state != .left else { return }
        guard let mine = try since(context.user, context.device, in: channel) else {
            throw Waiting(.channel(channel.id))
        }
        guard start.membership >= mine else {
            try checkSponsor(of: start)
            try notePast(start.name, membership: start.membership, of: channel)
            return
        }
        guard start.rotation == nil else { return try takeRotation(start, in: channel) }
        guard let membership = try membership(start.membership, of: channel) else {
            if start.membership < channel.listed { return try takeUnverified(start, in: channel) }
            throw Waiting(.membership(channel.id, start.membership))
        }
        try check(start, against: membership, of: channel)
        let isWhole = try members(of: channel, at: start.membership).hash == start.deviceSet
        guard isWhole || start.membership < channel.listed else {
            // A change in between is missing.
            throw Waiting(.channel(channel.id))
        }
        guard let secret = try wrappedSecret(of: start) else { return try askAgain(for: channel) }
        guard secret.commitment == start.commitment else {
            throw Rejected(
                .epochMismatch, "An epoch's secret is not the one that its sponsor committed to.",
                hint: "The sponsor's device gave members different secrets, or is broken.")
        }
        let origin = EpochOrigin(start)
        guard isWhole else { return try adoptToRead(origin, secret, in: channel) }
        try adopt(origin, secret, in: channel)
        try notePredecessor(of: origin, in: channel)
    }

    /// What the epoch of the own coming follows from was never for this device.
    func notePredecessor(of origin: EpochOrigin, in channel: KnownChannel) throws {
        guard let predecessor = origin.predecessor, try epoch(predecessor) == nil,
            try since(context.user, context.device, in: channel) == origin.membership
        else { return }
        try notePast(predecessor, membership: origin.membership - 1, of: channel)
    }

    /// Epochs from before the own coming that are remembered for each channel, so that nothing waits for their keys.
    static let pastEpochsMax = 64

    /// Remembers an epoch that cannot be read here; the oldest of too many is forgotten.
    private func notePast(_ name: [UInt8], membership: Int64, of channel: KnownChannel) throws {
        try run(
            "INSERT INTO client_epoch (name, channel, membership, created) VALUES (?, ?, ?, ?)",
            [Data(name), channel.row, membership, now.milliseconds])
        try run(
            """
            DELETE FROM client_epoch WHERE name IN (
              SELECT name FROM client_epoch
              WHERE channel = ?1 AND next IS NULL AND membership <
                (SELECT max(since) FROM client_member WHERE channel = ?1 AND user = ?2 AND device = ?3)
              ORDER BY membership DESC, created DESC, name LIMIT -1 OFFSET ?4)
            """, [channel.row, context.user.text, context.device.text, Self.pastEpochsMax])
        arrived.append(.epoch(name))
    }

    func checkSponsor(of start: EpochStart) throws {
        guard let sponsor = try authorDevice(start.author, start.device) else {
            throw Waiting(.device(start.author, start.device))
        }
        try KeyChecks.verify(start.object, signedBy: sponsor.signingKey, purpose: .epoch)
    }

    private func check(_ start: EpochStart, against membership: Membership, of channel: KnownChannel) throws {
        guard start.sponsor == membership.sponsor, start.deviceSet == membership.deviceSet else {
            throw Rejected(.epochMismatch, "An epoch is not by its sponsor, or for other devices than were signed.")
        }
        try checkSponsor(of: start)
    }

    /// From the wrap for this device, if there is one that it can open.
    func wrappedSecret(of start: EpochStart) throws -> EpochSecret? {
        let wrap = start.wraps.first { $0.userID == context.user && $0.device == context.device }
        guard let wrap, let preKey = try signedPreKey(wrap.preKey) else { return nil }
        return try? EpochWrap.unwrap(
            wrap.wrapped, epoch: EpochName(start.name), ephemeral: AgreementPublicKey(start.ephemeral),
            for: EpochWrap.Recipient(user: context.user, device: context.device), signedPreKey: preKey,
            identity: context.agreement)
    }

    /// Derives all chains and `next`; the secret goes when the caller lets it go.
    ///
    /// - Parameter members: those of its membership, unless it says otherwise.
    func adopt(
        _ origin: EpochOrigin, _ secret: EpochSecret, in channel: KnownChannel, item: [UInt8]? = nil,
        members: [Party]? = nil
    ) throws {
        try run(
            "INSERT INTO client_epoch (name, channel, membership, next, item, created, models) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                Data(origin.name), channel.row, origin.membership, Data(secret.next.secret.copyBytes()),
                item.map { Data($0) }, now.milliseconds, PhraseModelNumbers(origin.models).text,
            ])
        arrived.append(.epoch(origin.name))
        let name = try EpochName(origin.name)
        for case .device(let user, let device) in try members
            ?? self.members(of: channel, at: origin.membership).devices
        {
            try run(
                "INSERT INTO client_chain (epoch, user, device, state) VALUES (?, ?, ?, ?)",
                [
                    Data(name.bytes), user.text, device.text,
                    Data(secret.chain(of: device, user: user, epoch: name).encoded()),
                ])
        }
        try noteSuccession(of: origin, in: channel)
        try run(
            "UPDATE client_channel SET state = 'member', error = NULL WHERE channel = ? AND state <> 'member'",
            [channel.row])
        try followJoins(after: origin, in: channel)
    }

    // MARK: Chains

    func chain(_ epoch: [UInt8], of user: UserID, _ device: DeviceID) throws -> SenderChain? {
        try row(
            "SELECT state FROM client_chain WHERE epoch = ? AND user = ? AND device = ?",
            [Data(epoch), user.text, device.text]
        ).map { row in try Self.stored { try SenderChain(decoding: row.blob("state")) } }
    }

    func store(_ chain: SenderChain, _ epoch: [UInt8], of user: UserID, _ device: DeviceID) throws {
        try run(
            "UPDATE client_chain SET state = ? WHERE epoch = ? AND user = ? AND device = ?",
            [Data(chain.encoded()), Data(epoch), user.text, device.text])
        try run("UPDATE client_epoch SET sent = sent + 1 WHERE name = ?", [Data(epoch)])
    }
}
