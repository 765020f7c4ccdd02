import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// The changes of this node's own channels, kept for sites that have missed some.
extension NodeTransaction {
    /// Changes of a channel that are kept.
    static let ordersKept: Int64 = 128
    /// Changes in one answer; whoever lacks more asks again.
    static let ordersAnswered = 32

    func keepOrder(_ membership: Membership, _ channel: KnownChannel) throws {
        try run(
            "INSERT INTO node_order (channel, version, membership) VALUES (?, ?, ?)",
            [channel.row, membership.version, Data(membership.object.canonicalBytes())])
        try run(
            "DELETE FROM node_order WHERE channel = ? AND version <= ?",
            [channel.row, membership.version - Self.ordersKept])
    }

    /// Sends a site what it has missed: the changes from the version asked for on, each with its epoch. If the first of
    /// them is not kept any more, or all is asked for: the member list and the last change.
    ///
    /// - Throws: `ProtocolError` 2002 for a site without a member: it learns nothing of the channel.
    func answer(_ question: MemberList, from peer: Party) throws {
        guard case .node(let site) = peer, let channel = try channel(question.channel), channel.version > 0 else {
            throw ProtocolError(.channelNotFound, "There is no such channel for that node.")
        }
        let members = try members(of: channel)
        guard members.contains(where: { $0.user.node == site }) else {
            throw ProtocolError(.channelNotFound, "There is no such channel for that node.")
        }
        guard question.version <= channel.version else { return }
        let kept = try rows(
            "SELECT version, membership, epoch FROM node_order WHERE channel = ? AND version >= ? ORDER BY version LIMIT ?",
            [channel.row, question.version, Self.ordersAnswered])
        if question.version > 1, let first = kept.first, first["version"] as Int64 == question.version {
            for row in kept { try send(row, of: members, to: site) }
            return
        }
        try enqueueAnew(memberList(of: channel).object, to: peer)
        // Its devices have missed changes, and the pre-keys in them.
        for member in members where member.user.node == site {
            try run(
                "UPDATE node_member SET knows_from = ? WHERE channel = ? AND user = ? AND device = ?",
                [channel.version, channel.row, member.user.text, member.device.text])
        }
        if let last = try row(
            "SELECT version, membership, epoch FROM node_order WHERE channel = ? AND version = ?",
            [channel.row, channel.version])
        {
            try send(last, of: members, to: site)
        }
    }

    private func send(_ row: Row, of members: [KnownMember], to site: NodeID) throws {
        let membership = try Membership(JSONObject.parse([UInt8](row["membership"] as Data)))
        let list = MemberList(channel: membership.channel, version: membership.version, devices: members.map(\.party))
        var about = membership.sponsor?.user.map { [$0] } ?? []
        if about.first?.node == site {
            about = concerned(
                by: membership, list, before: members.filter { $0.joined < membership.version })
            if membership.change.isFresh, let sponsor = membership.sponsor, let channel = try channel(list.channel) {
                try sendKeys(to: sponsor, for: membership, in: channel)
            }
        }
        // What was lost may have been an introduction.
        for user in Set(about) {
            try run("DELETE FROM node_introduction WHERE party = ? AND user = ?", [Party.node(site).text, user.text])
            try ensureIntroduced(user, to: .node(site))
        }
        try enqueueAnew(membership.object, to: .node(site))
        guard let stored: Data = row["epoch"] else { return }
        let limits = JSONLimits(bytes: ProtocolObject.bytesMax)
        let epoch = try EpochStart(JSONObject.parse([UInt8](stored), limits: limits))
        try route(epoch.keepingWraps { $0.userID.node == site }, asNewTo: .node(site), about: epoch.author)
    }

    private func route(_ object: JSONObject, asNewTo party: Party, about user: UserID) throws {
        try ensureIntroduced(user, to: party)
        try enqueueAnew(object, to: party)
    }
}
