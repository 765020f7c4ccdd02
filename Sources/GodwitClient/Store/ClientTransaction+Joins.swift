import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// Epochs that joins start (D-14). Whoever has the epoch before needs nothing but the change itself; the joiners get the
/// secret from the sponsor that the change names.
extension ClientTransaction {
    /// The epoch of a change with which somebody has joined, from the one before.
    func followJoin(_ membership: Membership) throws {
        guard let predecessor = membership.change.predecessor, try epoch(membership.joinHash) == nil,
            let channel = try channel(membership.channel),
            let mine = try since(context.user, context.device, in: channel), mine <= membership.version
        else { return }
        guard let before = try epoch(predecessor), let next = before.next else {
            guard !membership.joined.contains(where: { $0.party == context.party }) else { return }
            // `adopt` comes back to it; what is kept here is for noticing that it never does.
            return try keep(.object, membership.object.canonicalBytes(), until: .epoch(predecessor))
        }
        guard before.membership >= channel.departed || membership.version < channel.departed else {
            return try warn(
                Rejected(
                    .epochMismatch, "The epoch of a join follows from one that a device has which has left.",
                    hint: "It is not used, for the channel's node would let that device read on."),
                about: channel.id.text)
        }
        let models = before.models.intersection(membership.change.models)
        try use(
            EpochOrigin(joinedBy: membership, models: models), next.joined(joinHash: membership.joinHash),
            of: membership, in: channel)
    }

    /// Takes up the joins that were waiting for an epoch.
    func followJoins(after origin: EpochOrigin, in channel: KnownChannel) throws {
        for row in try rows(
            "SELECT body FROM client_membership WHERE channel = ? AND version > ? AND epoch NOT NULL ORDER BY version",
            [channel.row, origin.membership])
        {
            let membership = try Self.stored { try Membership(JSONObject.parse(row.blob("body"))) }
            guard membership.change.predecessor == origin.name else { continue }
            try followJoin(membership)
        }
    }

    private func use(
        _ origin: EpochOrigin, _ secret: EpochSecret, of membership: Membership, in channel: KnownChannel
    ) throws {
        if try members(of: channel, at: membership.version).hash == membership.deviceSet {
            try adopt(origin, secret, in: channel)
        } else {
            // Its members are known from a later list only.
            try adoptToRead(origin, secret, in: channel)
        }
    }

    /// The secret of the epoch with which this device has joined.
    func take(_ key: EpochKey) throws {
        guard key.device == context.device else {
            throw Rejected(.misdirected, "The key of an epoch for another device arrived here.")
        }
        guard
            let row = try row(
                """
                SELECT c.*, m.body FROM client_membership m JOIN client_channel c ON c.channel = m.channel
                WHERE m.epoch BETWEEN ? AND ?
                """, [Data(key.keyID), Data(key.lastName)])
        else { throw Waiting(.change(key.keyID)) }
        let channel = try KnownChannel(row)
        let membership = try Self.stored { try Membership(JSONObject.parse(row.blob("body"))) }
        guard case .device(let user, let device)? = membership.sponsor else { return }
        guard try epoch(membership.joinHash) == nil else { return }
        guard let sponsor = try authorDevice(user, device) else { throw Waiting(.device(user, device)) }
        guard let secret = try open(key, epoch: EpochName(membership.joinHash), from: sponsor) else {
            // A sponsor that was away for long may have made it for a pre-key that is not kept any more.
            let own = membership.joined.first { $0.party == context.party }
            guard let own, try signedPreKey(own.preKey.id) != nil else { return }
            throw Rejected(
                .epochMismatch, "The key of an epoch is not by the device that the channel's node has named for it.",
                hint: "This device asks again if none comes that opens.")
        }
        let origin = EpochOrigin(joinedBy: membership, models: key.models)
        try use(origin, secret, of: membership, in: channel)
        try notePredecessor(of: origin, in: channel)
    }

    /// With the signed pre-key that it was made for, one of the few that this device still has; nil: with none.
    private func open(_ key: EpochKey, epoch: EpochName, from sponsor: KnownDevice) throws -> EpochSecret? {
        for preKey in try signedPreKeys() {
            do {
                return try EpochWrap.open(
                    key.key, epoch: epoch, from: AgreementPublicKey(sponsor.agreementKey),
                    for: EpochWrap.Recipient(user: context.user, device: context.device), signedPreKey: preKey,
                    identity: context.agreement)
            } catch CryptoError.authenticationFailed { continue }
        }
        return nil
    }

    /// The sponsor's part: the secret for each joiner that is still there.
    ///
    /// - Returns: false while the epoch before has not come.
    func handOutKeys(of membership: Membership, in channel: KnownChannel) throws -> Bool {
        guard let predecessor = membership.change.predecessor, let before = try epoch(predecessor) else { return false }
        // Where it was not taken into use here, it is given to nobody.
        guard let next = before.next, let epoch = try epoch(membership.joinHash), epoch.next != nil else { return true }
        let secret = try next.joined(joinHash: membership.joinHash)
        let present = Set(try members(of: channel, at: channel.applied).devices)
        let joiners = try membership.joined + waiting(besides: membership, in: channel)
        try forEachUsable(of: joiners.filter { present.contains($0.party) }) { joiner, known in
            let key = try EpochWrap.seal(
                secret, epoch: EpochName(epoch.name), ephemeral: .generate(), from: context.agreement,
                for: EpochWrap.Recipient(user: joiner.userID, device: joiner.device),
                signedPreKey: AgreementPublicKey(joiner.preKey.key), identity: AgreementPublicKey(known.agreementKey))
            try enqueue(
                EpochKey(
                    keyID: Array(epoch.name.prefix(EpochKey.idCount)), device: joiner.device, key: key,
                    models: epoch.models
                ).object)
        }
        return true
    }

    /// Joiners besides those who ask, in one change with which somebody asks again.
    private static let waitingMax = 32

    /// Whoever asks again got no key, for a sponsor is away; others who came after him will lack it, too. Whoever came
    /// before the last fresh secret has that one.
    private func waiting(besides membership: Membership, in channel: KnownChannel) throws -> [Joiner] {
        let since = try membership.joined.compactMap { try self.since($0.userID, $0.device, in: channel) }.min()
        guard let since, since < membership.version else { return [] }
        let asking = Set(membership.joined.map(\.party) + [context.party])
        return try rows(
            """
            SELECT pre_key FROM client_member
            WHERE channel = ?1 AND until IS NULL AND pre_key IS NOT NULL AND since >= ?2 AND since < ?3 AND since > (
              SELECT min(membership) FROM client_epoch WHERE channel = ?1 AND side = 0 AND fresh =
                (SELECT fresh FROM client_epoch WHERE name = ?4))
            ORDER BY since DESC, user, device LIMIT ?5
            """,
            [
                channel.row, since, membership.version, Data(membership.joinHash),
                Self.waitingMax + membership.joined.count,
            ]
        ).map { row in
            try Self.stored { Joiner(preKey: try SignedPreKey(JSONObject.parse(row.blob("pre_key")))) }
        }.filter { joiner in
            // One that is not known yet keeps nobody else waiting.
            try !asking.contains(joiner.party) && device(joiner.userID, joiner.device) != nil
        }
    }

    /// A key expired before the home node took it: another one is made.
    func handOutAgain(_ key: EpochKey) throws {
        try run(
            "UPDATE client_membership SET has_duty = 1 WHERE epoch BETWEEN ? AND ?",
            [Data(key.keyID), Data(key.lastName)])
    }
}
