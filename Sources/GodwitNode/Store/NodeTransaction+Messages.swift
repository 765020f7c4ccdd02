import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// How a message came in.
enum Arrival: Hashable {
    /// Over a live session of its author: the clock counts (decision D-16).
    case live
    /// In a batch, after any time; `age` in milliseconds.
    case spooled(age: Int64)
    /// Held for a moderator until now; for whoever was a member at the version `membership`.
    case released(age: Int64, membership: Int64)

    /// Milliseconds that it has lived.
    var age: Int64 {
        switch self {
        case .live: 0
        case .spooled(let age), .released(let age, _): age
        }
    }
}

extension NodeTransaction {
    /// Milliseconds by which a live author's clock may be off (MSG-15).
    static let clockSkew: Int64 = 300_000

    /// Accepts a message: verify, journal, route (004 §6.4).
    ///
    /// - Parameter source: the device or node that it came from.
    /// - Returns: false when it was known already.
    /// - Throws: `ProtocolError`; nothing is written then. `AuthorUnknown` when the author's device is not known yet,
    ///   `AuthorBanned` for what waits for a moderator.
    @discardableResult
    func accept(_ message: Message, from source: Party, arrival: Arrival) throws -> Bool {
        // Entries for devices that are not at home here nobody needs any more.
        let message = message.author.node == context.id ? message : message.forParty(.node(context.id))
        let author = try author(of: message, from: source, arrival)
        try KeyChecks.verify(message, signedBy: author.signingKey)
        if case .device(let user, let device) = source, user != message.author || device != message.device {
            throw ProtocolError(
                .insufficientPermissions, "A device sends its own messages only.", hint: "Log in as the author.")
        }
        // Before the time: whoever repeats a message because its answer was lost gets the answer, however late. What is
        // refused below is not remembered, for the transaction is undone.
        let standing = try standing(of: message.hash)
        guard !standing.isJournaled else { return false }
        try checkTime(of: message, arrival)
        let delivery = try delivery(of: message, author, from: source, arrival)
        if standing.isTakenBack, let deleter = try deleter(of: message) {
            try journal(message, nil, keeping: 0, as: .deleted, by: deleter)
            return true
        }
        let body = message.canonicalBytes
        try journal(message, body, keeping: least(of: [author.retention, delivery.retention]))
        if case .direct(let address) = message.address { try noteContact(of: message.author, address.user) }
        for target in delivery.targets {
            try ensureIntroduced(message.author, to: target)
            try enqueue(
                NewItem(
                    id: ItemID(message.hash.bytes), kind: .message,
                    body: message.wraps.isEmpty ? body : message.forParty(target).canonicalBytes, destination: target,
                    priority: message.priority, created: message.timestamp, lifetime: message.lifetime,
                    age: arrival.age,
                    owner: message.author.node == context.id ? .device(message.author, message.device) : nil))
        }
        return true
    }

    private func checkTime(of message: Message, _ arrival: Arrival) throws {
        switch arrival {
        case .live:
            guard abs(message.timestamp.milliseconds - now.milliseconds) <= Self.clockSkew else {
                throw ProtocolError(
                    .invalidMessageFormat, "The message's time is more than five minutes off.",
                    hint: "Set the clock, or send the message in a batch.",
                    details: ["member": "timestamp", "server_time": .string(now.description)])
            }
        case .spooled(let age), .released(let age, _):
            guard age < message.lifetime else {
                throw ProtocolError(.invalidMessageFormat, "The message's lifetime has ended on the way.")
            }
        }
    }

    /// Whom the message goes to next, or why it may not.
    private func delivery(
        of message: Message, _ author: MessageAuthor, from source: Party, _ arrival: Arrival
    ) throws -> Delivery {
        switch message.address {
        case .direct(let address): return try directDelivery(of: message, author, to: address.user)
        case .channel(let name):
            let targets = try channelTargets(
                of: message, ChannelID(name: name, node: message.channelNode ?? context.id), from: source, arrival)
            return Delivery(targets: targets)
        }
    }

    private func channelTargets(
        of message: Message, _ id: ChannelID, from source: Party, _ arrival: Arrival
    ) throws -> [Party] {
        guard let channel = try channel(id) else {
            if isVouchedFor(id, by: source) { throw MembershipUnknown(channel: id, version: 1, needsList: true) }
            throw ProtocolError.unknown(id)
        }
        let members = try members(of: channel)
        let readers = try readers(of: message, among: members, in: channel, from: source, arrival)
        try run(
            "UPDATE node_channel SET last_activity = ? WHERE channel = ?", [now.milliseconds, channel.row])
        let own = Party.device(message.author, message.device)
        var targets = try listed(readers.map(\.party).filter { $0 != own })
        if id.node == context.id {
            let sites = Set(readers.map(\.user.node)).subtracting([context.id, message.author.node])
            targets += sites.sorted().map(Party.node).filter { $0 != source }
        } else if message.author.node == context.id {
            try requirePeer(id.node)
            targets.append(.node(id.node))
        }
        return targets
    }

    /// What the channel's node sends on has been judged there: if it seems wrong here, a change was missed.
    private func isVouchedFor(_ id: ChannelID, by source: Party) -> Bool {
        id.node != context.id && source == .node(id.node)
    }

    /// The members for whom a message is, or why its author may not send it.
    private func readers(
        of message: Message, among members: [KnownMember], in channel: KnownChannel, from source: Party,
        _ arrival: Arrival
    ) throws -> [KnownMember] {
        let isVouchedFor = isVouchedFor(channel.id, by: source)
        if case .released(_, let membership) = arrival { return members.filter { $0.joined <= membership } }
        if let author = members.first(where: { $0.user == message.author && $0.device == message.device }) {
            guard isVouchedFor || author.role.may(.sendMessages) else { throw ProtocolError.mayNotSend(in: channel.id) }
            return members
        }
        let stay = try stay(of: message, in: channel)
        if isVouchedFor {
            // It was sent on before its author left, or was released since: those who could read it then get it.
            if let stay { return members.filter { $0.joined <= stay.membership } }
            // Of an epoch that started by time only its members know when it was.
            if try wasMember(message.author, message.device, in: channel) { return members }
            throw MembershipUnknown(channel: channel.id, version: channel.version + 1, needsList: false)
        }
        if let stay, arrival != .live, channel.id.node == context.id, try ban(of: message.author, in: channel) != nil {
            throw AuthorBanned(message: message, channel: channel, membership: stay.membership, role: stay.role)
        }
        // Its home node took it while the device was listed.
        if let stay, stay.endedByList, source == .node(message.author.node), stay.role.may(.sendMessages) {
            return members.filter { $0.joined <= stay.membership }
        }
        // To strangers a private channel does not exist.
        if try role(of: message.author, in: channel) == nil, try isPrivate(channel) {
            throw ProtocolError.unknown(channel.id)
        }
        throw ProtocolError.mayNotSend(in: channel.id)
    }

    /// Whether a device has been seen to go from a channel.
    private func wasMember(_ user: UserID, _ device: DeviceID, in channel: KnownChannel) throws -> Bool {
        try row(
            "SELECT 1 FROM node_member_since WHERE channel = ? AND user = ? AND device = ? AND ended IS NOT NULL",
            [channel.row, user.text, device.text]) != nil
    }
}

extension ProtocolError {
    fileprivate static func mayNotSend(in channel: ChannelID) -> Self {
        Self(
            .insufficientPermissions, "The author may not send messages to this channel.",
            hint: "Join the channel, or ask a moderator.", details: ["channel": .string(channel.name.text)])
    }
}

/// The author's device has not been introduced here yet: the item is held until it is.
struct AuthorUnknown: Error {
    var user: UserID
}
