import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// One change of a channel of this node, before it has a number.
struct PlannedChange {
    var joining: [Joiner] = []
    var leaving: [Party] = []
    var roles: [RoleGrant] = []
    var settings: ChannelSettings?
    var isEnd = false
    /// The sponsor of a fresh epoch stays silent: another one is named.
    var isRestart = false
    /// Whose command it is: the device that is known to be there now.
    var actor: Party?
}

/// Numbered, signed changes of this node's own channels (D-18).
extension NodeTransaction {
    /// Makes one change and tells everybody whom it concerns.
    /// - Throws: `ProtocolError` 1002 when the channel has no room, 2001 when the change or the list fits nowhere.
    func change(_ id: ChannelID, by plan: PlannedChange) throws {
        guard var channel = try channel(id) else { return }
        let before = try members(of: channel)
        channel.version += 1
        let startsEpoch = !plan.joining.isEmpty || !plan.leaving.isEmpty || plan.isRestart
        var change = ChannelChange()
        change.left = plan.leaving
        change.settings = plan.settings
        change.isEnd = plan.isEnd
        let sponsor = startsEpoch && !plan.isEnd ? try self.sponsor(of: plan, among: before, of: channel) : nil
        try carryOut(plan, in: &channel)
        if let sponsor { try startEpoch(with: &change, by: sponsor, plan, in: channel) }
        change.roles = try plan.roles + roles(ofNewIn: plan, before: before, in: channel)
        let list = try memberList(of: channel)
        guard list.devices.count <= context.membersMax else { throw full(id) }
        let unsigned = Membership.unsigned(
            channel: id, version: channel.version, at: now, joined: plan.joining, deviceSet: list.hash,
            sponsor: sponsor,
            change: change)
        let membership = try Membership(context.signingKey.signed(unsigned, purpose: .order))
        try store(membership, channel)
        try keepOrder(membership, channel)
        if change.isFresh, let sponsor { try sendKeys(to: sponsor, for: membership, in: channel) }
        try distribute(membership, list, before: before, isComplete: false)
        if plan.isEnd {
            try refuseModerated(in: channel)
            try run("DELETE FROM node_channel WHERE channel = ?", [channel.row])
        }
    }

    /// The epoch of a join follows from the newest one, and is there with the change itself. It has a fresh secret where
    /// somebody has left since that one, or none has come yet.
    private func startEpoch(
        with change: inout ChannelChange, by sponsor: Party, _ plan: PlannedChange, in channel: KnownChannel
    ) throws {
        // Nobody but the joiners is here: the first of them begins.
        let isFirst = plan.joining.contains { $0.party == sponsor }
        let lacksFresh = try lacksFreshEpoch(channel)
        let head = isFirst || lacksFresh ? nil : try epochHead(of: channel)
        change.isFresh = lacksFresh || !isFirst && head == nil
        guard let head, plan.leaving.isEmpty, !plan.joining.isEmpty else { return }
        change.predecessor = head
        change.models = try models(of: plan.joining)
    }

    /// Phrase models that all of some devices have announced.
    private func models(of joiners: [Joiner]) throws -> Set<UInt8> {
        var common: Set<UInt8>?
        for joiner in joiners {
            let listed = try user(joiner.userID)?.deviceList?.devices.first { $0.device == joiner.device }
            common = (common ?? listed?.models ?? []).intersection(listed?.models ?? [])
        }
        return common ?? []
    }

    private func carryOut(_ plan: PlannedChange, in channel: inout KnownChannel) throws {
        for joiner in plan.joining { try insertMember(joiner, into: channel) }
        for joiner in plan.joining { try tellOthers(of: joiner.party, about: channel) }
        for case .device(let user, let device) in plan.leaving {
            try run(
                "DELETE FROM node_member WHERE channel = ? AND user = ? AND device = ?",
                [channel.row, user.text, device.text])
        }
        if plan.isEnd { try run("DELETE FROM node_member WHERE channel = ?", [channel.row]) }
        if !plan.leaving.isEmpty { channel.departed = channel.version }
        if let settings = plan.settings { channel.settings = settings }
        try save(channel)
    }

    private func save(_ channel: KnownChannel) throws {
        try run(
            "UPDATE node_channel SET departed = ?, topic = ?, description = ?, visibility = ?, shares_history = ? WHERE channel = ?",
            [
                channel.departed, channel.settings.topic, channel.settings.description,
                channel.settings.visibility.rawValue, channel.settings.sharesHistory, channel.row,
            ])
    }

    private func insertMember(_ joiner: Joiner, into channel: KnownChannel) throws {
        try run(
            """
            INSERT INTO node_member (channel, user, device, joined, knows_from, pre_key) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
            ON CONFLICT (channel, user, device) DO UPDATE SET attempts = attempts + 1, pre_key = excluded.pre_key
            """,
            [
                channel.row, joiner.userID.text, joiner.device.text, channel.version,
                Data(joiner.preKey.object.canonicalBytes()),
            ])
    }

    /// A joiner whose role is not the usual one: owners of new channels, and who has a role above.
    private func roles(
        ofNewIn plan: PlannedChange, before: [KnownMember], in channel: KnownChannel
    ) throws -> [RoleGrant] {
        let old = Set(before.map(\.user))
        let given = try givenRoles(in: channel)
        return Set(plan.joining.map(\.userID)).subtracting(old).sorted().compactMap { user in
            given[user].flatMap { $0 == .member ? nil : RoleGrant(userID: user, role: $0) }
        }
    }

    func memberList(of channel: KnownChannel) throws -> MemberList {
        let members = try members(of: channel)
        return MemberList(
            channel: channel.id, version: channel.version, devices: members.map(\.party),
            roles: Dictionary(members.map { ($0.user, $0.role) }) { first, _ in first }, settings: channel.settings)
    }

    /// Since the last departure no epoch has come: whoever has left would read on in what follows from the last one.
    func lacksFreshEpoch(_ channel: KnownChannel) throws -> Bool {
        let last = try row(
            "SELECT max(membership) AS n FROM node_epoch WHERE channel = ? AND name IS NOT NULL", [channel.row])
        return channel.departed > last?["n"] as Int64? ?? 0
    }

    // MARK: Sponsors

    /// Somebody who holds the epoch before and is near the joiners: wraps for them then stay on their site. Of a
    /// departure, whoever asked for it. Whoever asks again, because no epoch came, gets the next candidate.
    private func sponsor(
        of plan: PlannedChange, among members: [KnownMember], of channel: KnownChannel
    ) throws -> Party? {
        let joining = Set(plan.joining.map(\.party))
        let leaving = Set(plan.leaving)
        let others = members.filter { !joining.contains($0.party) && !leaving.contains($0.party) }
        guard !others.isEmpty else { return plan.joining.first?.party }
        let site = plan.joining.first?.userID.node ?? plan.actor?.user?.node ?? context.id
        var ordered =
            others.filter { $0.user.node == site }
            + others.filter { $0.user.node != site && $0.user.node == context.id }
            + others.filter { $0.user.node != site && $0.user.node != context.id }
        guard let first = plan.joining.first else {
            if let index = ordered.firstIndex(where: { $0.party == plan.actor }) {
                ordered.insert(ordered.remove(at: index), at: 0)
            }
            // Each restart is a change of its own, so that all get their turn.
            let turn = plan.isRestart ? max(1, channel.version - channel.departed) : 0
            return ordered[Int(turn % Int64(ordered.count))].party
        }
        let attempts = try row(
            "SELECT attempts FROM node_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, first.userID.text, first.device.text])
        // The row of a first join is not there yet; that of a repeated one counts the repeats before this one.
        let attempt = (attempts?["attempts"] as Int64?).map { $0 + 1 } ?? 0
        return ordered[Int(attempt % Int64(ordered.count))].party
    }

    /// Milliseconds of uptime until another sponsor is named for a fresh epoch; doubles each time.
    static let sponsorPatience: Int64 = 600_000
    private static let sponsorPatienceMax: Int64 = 86_400_000

    /// Names another sponsor where a fresh epoch does not come: until it does, nobody can write.
    func restartEpochs() throws {
        let uptime = try spool.uptime()
        for row in try rows(
            """
            SELECT c.*, e.membership, e.since FROM node_channel c JOIN node_epoch e ON e.channel = c.channel
            WHERE c.node = ? AND c.departed > 0 AND e.name IS NULL
              AND e.membership = (SELECT max(membership) FROM node_epoch WHERE channel = c.channel)
              AND NOT EXISTS (SELECT 1 FROM node_epoch o
                WHERE o.channel = c.channel AND o.membership >= c.departed AND o.name IS NOT NULL)
            """, [context.id.text])
        {
            let channel = try KnownChannel(row)
            let turns = max(0, min(10, row["membership"] as Int64 - channel.departed))
            let patience = min(Self.sponsorPatience << turns, Self.sponsorPatienceMax)
            guard uptime - (row["since"] as Int64) >= patience else { continue }
            do {
                try inSavepoint { try self.change(channel.id, by: PlannedChange(isRestart: true)) }
            } catch let error as ProtocolError where !error.isOfStore {
                try run(
                    "UPDATE node_epoch SET since = ? WHERE channel = ? AND membership = ?",
                    [uptime, channel.row, row["membership"] as Int64])
            }
        }
    }

    // MARK: Keys for sponsors

    /// Bytes of pre-keys in one object: it fits a frame whatever it holds.
    private static let keyBytesMax = 48_000

    /// Sends the sponsor of a fresh epoch the pre-keys of members that it has not got from changes: of those who came
    /// before it. They are sent once.
    func sendKeys(to sponsor: Party, for membership: Membership, in channel: KnownChannel) throws {
        guard case .device(let user, let device) = sponsor else { return }
        let known = try row(
            "SELECT knows_from FROM node_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])
        guard let from = known?["knows_from"] as Int64?, from > 0 else { return }
        var keys = MemberKeys(channel: channel.id, version: membership.version, to: sponsor, keys: [])
        var bytes = 0
        for row in try rows(
            "SELECT user, device, pre_key FROM node_member WHERE channel = ? AND joined <= ? ORDER BY joined, user, device",
            [channel.row, from])
        {
            let party = Party.device(try UserID(row["user"] as String), try DeviceID(row["device"] as String))
            guard party != sponsor else { continue }
            guard let stored: Data = row["pre_key"] else {
                keys.without.append(party)
                continue
            }
            bytes += stored.count
            if bytes > Self.keyBytesMax || keys.keys.count == MemberKeys.keysMax {
                try route(keys.object, to: hop(towards: user, device), about: [])
                (keys.keys, bytes) = ([], stored.count)
            }
            keys.keys.append(Joiner(preKey: try SignedPreKey(JSONObject.parse([UInt8](stored)))))
        }
        if !keys.keys.isEmpty || !keys.without.isEmpty {
            try route(keys.object, to: hop(towards: user, device), about: [])
        }
        try run(
            "UPDATE node_member SET knows_from = 0 WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])
    }

    /// Keys for a sponsor here, from the channel's node.
    func accept(_ keys: MemberKeys, from peer: Party) throws {
        if let after = keys.after { return try answerKeys(keys, after: after, from: peer) }
        if keys.to == .node(context.id) { return try takeKeys(keys, from: peer) }
        guard peer == .node(keys.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "Members' keys come from the channel's node only.")
        }
        guard keys.to.user?.node == context.id else {
            throw ProtocolError(.userNotFound, "The sponsor is no device of this node.")
        }
        try forward(keys.object, toDevice: keys.to)
    }
}
