import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Several devices of one user: what goes to each of them, and how all learn of each other (D-13, docs/protocol.md §6.2).
extension NodeTransaction {
    /// Where a direct message goes next: to the reader's devices or node, and to the author's other devices, so that a
    /// conversation is the same on all of them. A device for which nothing was wrapped gets the message all the same: it
    /// then knows of it, and can ask. What is among own devices goes to those only for which something was wrapped.
    ///
    /// - Throws: `ProtocolError` 1002, 2003, 3000.
    func directDelivery(of message: Message, _ author: MessageAuthor, to reader: UserID) throws -> Delivery {
        let own = author.otherDevices.map { Party.device(message.author, $0) }
        if message.isAmongOwn {
            guard message.author.node == context.id else {
                throw ProtocolError(
                    .insufficientPermissions, "Messages among a user's devices stay at the user's home node.")
            }
            return Delivery(targets: own.filter { party in message.wraps.contains { $0.party == party } })
        }
        guard reader.node == context.id else {
            try requirePeer(reader.node)
            return Delivery(targets: [.node(reader.node)] + own)
        }
        let devices = try devices(of: reader)
        guard !devices.isEmpty, let reception = try reception(of: reader, for: message.author) else {
            throw ProtocolError(
                .userNotFound, "There is no such user on this node.", hint: "Check the address.",
                details: ["user_id": .string(reader.text)])
        }
        // Before blocks are looked at: who is blocked is told no other thing than others.
        if reception.hasMovedOn { try refuseMoved(reader) }
        let reached = try reaches(reader, reception, from: message.author) ? devices : []
        return Delivery(targets: reached.map { .device(reader, $0) } + own, retention: reception.retention)
    }

    /// A user's list was replaced by a newer one: the user's devices here get it, and whoever was given an older one.
    ///
    /// - Parameter source: who brought it.
    func spread(_ list: DeviceList, of user: UserID, publicKey: [UInt8], isLocal: Bool, from source: Party?) throws {
        if isLocal {
            let introduction = Introduction(userID: user, publicKey: publicKey, deviceList: list)
            for entry in list.devices where entry.party != source {
                try enqueueAnew(introduction.object, to: entry.party)
            }
        }
        let told = try rows(
            "SELECT party FROM node_introduction WHERE user = ? AND version < ? ORDER BY party",
            [user.text, list.version])
        for row in told {
            let party = try Party(row["party"] as String)
            // One that is no peer any more is not told; nor who brought it.
            if case .node(let node) = party, (try? requirePeer(node)) == nil { continue }
            if party != source { try ensureIntroduced(user, to: party) }
        }
    }

    /// Notes that a party has a user's list, for a lookup's answer holds it.
    func noteGiven(_ list: DeviceList, to party: Party) throws {
        if case .device(list.userID, _) = party { return }
        try run(
            """
            INSERT INTO node_introduction (party, user, version) VALUES (?, ?, ?)
            ON CONFLICT (party, user) DO UPDATE SET version = max(version, excluded.version)
            """, [party.text, list.userID.text, list.version])
    }

    /// A new device of a user learns which channels the user's other devices are in, so that it can join them.
    func tellOfChannels(_ device: DeviceID, of user: UserID) throws {
        for row in try rows(
            """
            SELECT DISTINCT c.name, c.node FROM node_member m JOIN node_channel c ON c.channel = m.channel
            WHERE m.user = ? ORDER BY c.name, c.node
            """, [user.text])
        {
            let channel = ChannelID(
                name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
            let invitation = Invitation(channel: channel, to: user, inviter: user, at: now)
            try enqueueAnew(invitation.object, to: .device(user, device))
        }
    }

    /// Where one device of a user goes the others follow: those that are not in the channel learn of it.
    func tellOthers(of joiner: Party, about channel: KnownChannel) throws {
        guard case .device(let user, let device) = joiner, user.node == context.id else { return }
        let members = Set(
            try rows("SELECT device FROM node_member WHERE channel = ? AND user = ?", [channel.row, user.text])
                .map { $0["device"] as String })
        for other in try devices(of: user) where other != device && !members.contains(other.text) {
            let invitation = Invitation(channel: channel.id, to: user, inviter: user, at: now)
            try enqueueAnew(invitation.object, to: .device(user, other))
        }
    }

    /// Two devices that make a list at the same time would make two of one version: the second is told.
    ///
    /// - Throws: `ProtocolError` 2000 with `details.version`, that of the list that is here.
    func checkSuccession(of list: DeviceList, by device: DeviceID) throws {
        guard let known = try user(list.userID)?.deviceList, list.version <= known.version, list.object != known.object,
            list.version == known.version || !known.devices.contains(where: { $0.device == device })
        else { return }
        throw ProtocolError(
            .invalidMessageFormat, "The user has a newer device list.",
            hint: "Fetch the list, change it, and give it the next version.",
            details: ["member": "version", "version": .integer(known.version)])
    }
}
