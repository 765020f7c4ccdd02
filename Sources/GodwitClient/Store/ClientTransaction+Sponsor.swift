import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// The duty of a sponsor: whoever a membership names starts its epoch (D-14).
extension ClientTransaction {
    func carryOutDuties() throws {
        for row in try rows(
            """
            SELECT c.*, m.version FROM client_membership m JOIN client_channel c ON c.channel = m.channel
            WHERE m.has_duty = 1 ORDER BY m.channel, m.version
            """)
        {
            let channel = try KnownChannel(row)
            let version: Int64 = row["version"]
            guard let membership = try membership(version, of: channel) else { continue }
            var isDone = false
            do {
                try inSavepoint { isDone = try self.startEpoch(of: membership, in: channel) }
            } catch is Waiting {
                continue
            } catch let rejected as Rejected {
                try warn(rejected, about: channel.id.text)
                isDone = true
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // The duty stays until there is room. A contact, which makes room, must not fail for it.
                continue
            } catch let error as ProtocolError where !error.isOfStore {
                try warn(Rejected(error), about: channel.id.text)
                isDone = true
            } catch let error as CryptoError {
                try warn(Rejected(error), about: channel.id.text)
                isDone = true
            }
            guard isDone else { continue }
            try run(
                "UPDATE client_membership SET has_duty = 0 WHERE channel = ? AND version = ?", [channel.row, version])
        }
    }

    /// The newest epoch before a fresh one, and for whom the secret has to be wrapped.
    private struct Plan {
        var predecessor: KnownEpoch?
        var joiners: [Joiner]
    }

    /// - Returns: false while what it needs has not come.
    private func startEpoch(of membership: Membership, in channel: KnownChannel) throws -> Bool {
        guard let mine = try since(context.user, context.device, in: channel), mine <= membership.version,
            try members(of: channel, at: membership.version).hash == membership.deviceSet
        else { return false }
        guard membership.change.predecessor == nil else { return try handOutKeys(of: membership, in: channel) }
        if try integer(
            "SELECT 1 FROM client_epoch WHERE channel = ? AND membership = ?", [channel.row, membership.version]) != nil
        {
            return true
        }
        // Whoever has left since would get the secret.
        guard membership.version >= channel.departed else { return true }
        guard let plan = try plan(for: membership, in: channel) else { return false }
        let secret = try EpochSecret.generate()
        let unsigned = EpochStart.unsigned(
            channel: channel.id, predecessor: plan.predecessor?.name, membership: membership.version,
            deviceSet: membership.deviceSet, commitment: secret.commitment, author: context.user,
            device: context.device, created: now, models: try models(of: plan))
        try distribute(unsigned, secret, to: plan.joiners, in: channel)
        return true
    }

    /// Wraps the secret of a new epoch for others, queues it, and uses it here at once.
    func distribute(
        _ unsigned: JSONObject, _ secret: EpochSecret, to joiners: [Joiner], in channel: KnownChannel
    ) throws {
        let ephemeral = try AgreementKey.generate()
        let wraps = try wrap(
            secret, for: joiners, epoch: EpochName(EpochStart.name(of: unsigned)), ephemeral: ephemeral)
        let signed = context.signing.signed(unsigned, purpose: .epoch)
        // The last part goes to everybody, and so comes last.
        var last = signed.setting("wraps", .null)
        var item: [UInt8]?
        for start in stride(from: 0, to: wraps.count, by: EpochStart.wrapsPerPart) {
            let part = Array(wraps[start..<min(wraps.count, start + EpochStart.wrapsPerPart)])
            let distribution = EpochStart.distribution(
                ephemeral: ephemeral.publicKey.bytes, wraps: part, more: start + part.count < wraps.count)
            last = signed.setting("wraps", distribution)
            item = try enqueue(last)
        }
        try adopt(EpochOrigin(EpochStart(last)), secret, in: channel, item: try item ?? enqueue(last))
    }

    /// What everybody who gets the secret can read.
    private func models(of plan: Plan) throws -> Set<UInt8> {
        var models = Set(context.models.announced)
        for joiner in plan.joiners {
            if let known = try device(joiner.userID, joiner.device) { models.formIntersection(known.models) }
        }
        return models
    }

    /// - Returns: nil while keys of members are on their way.
    private func plan(for membership: Membership, in channel: KnownChannel) throws -> Plan? {
        let joined = Set(membership.joined.map(\.party))
        let members = Set(try members(of: channel, at: membership.version).devices)
        if members.subtracting(joined).subtracting([context.party]).isEmpty, joined.contains(context.party) {
            // Nobody has been here before.
            return Plan(predecessor: nil, joiners: membership.joined.filter { $0.party != context.party })
        }
        guard let joiners = try preKeys(of: members, in: channel, at: membership.version) else { return nil }
        return Plan(predecessor: try newestEpoch(of: channel, upTo: membership.version - 1), joiners: joiners)
    }

    /// Wraps the secret for each joiner, under one ephemeral key that is fresh.
    private func wrap(
        _ secret: EpochSecret, for joiners: [Joiner], epoch: EpochName, ephemeral: AgreementKey
    ) throws -> [EpochStart.Wrap] {
        var wraps: [EpochStart.Wrap] = []
        try forEachUsable(of: joiners) { joiner, known in
            wraps.append(try wrap(secret, for: joiner, known, epoch: epoch, ephemeral: ephemeral))
        }
        return wraps
    }

    /// Does something for each joiner that is in its user's device list and whose keys are good.
    /// - Throws: `Waiting` for a user who is not known yet.
    func forEachUsable(of joiners: [Joiner], _ body: (Joiner, KnownDevice) throws -> Void) throws {
        for joiner in joiners {
            guard let known = try device(joiner.userID, joiner.device) else {
                guard try isKnown(joiner.userID) else { throw Waiting(.device(joiner.userID, joiner.device)) }
                // A device that has left its user's list gets nothing, and keeps nobody else out. One that is to come
                // asks again, and is listed by then.
                try warn(
                    Rejected(
                        .unlistedDevice, "A device that joins a channel is not in its user's device list.",
                        hint: "It gets no keys; if it is new, it will ask again."), about: joiner.userID.text)
                continue
            }
            // One joiner's bad signature or key must not keep the others out.
            do {
                try KeyChecks.verify(joiner.preKey.object, signedBy: known.signingKey, purpose: .preKey)
                try body(joiner, known)
            } catch let error as ProtocolError where !error.isOfStore && error.code != .bandwidthExceeded {
                try warn(Rejected(error), about: joiner.userID.text)
            } catch is CryptoError {
                try warn(
                    Rejected(.malformed, "The keys of a device that joins a channel cannot be used."),
                    about: joiner.userID.text)
            }
        }
    }

    /// - Throws: `CryptoError` for keys of small order.
    private func wrap(
        _ secret: EpochSecret, for joiner: Joiner, _ known: KnownDevice, epoch: EpochName, ephemeral: AgreementKey
    ) throws -> EpochStart.Wrap {
        let wrapped = try EpochWrap.wrap(
            secret, epoch: epoch, ephemeral: ephemeral,
            for: EpochWrap.Recipient(user: joiner.userID, device: joiner.device),
            signedPreKey: try AgreementPublicKey(joiner.preKey.key),
            identity: try AgreementPublicKey(known.agreementKey))
        return EpochStart.Wrap(
            userID: joiner.userID, device: joiner.device, preKey: joiner.preKey.id, wrapped: wrapped)
    }
}
