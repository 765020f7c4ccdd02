import GodwitProtocol

/// What should happen: who may read what, from what was written and from the changes of channels in the order in which
/// their nodes accepted them. It knows nothing of keys, frames or queues.
struct WorldModel {
    /// A message as somebody wrote it.
    struct Written {
        /// Place of the author's device.
        var device: Int
        var author: UserID
        var conversation: Conversation
        var text: String
        /// Row of the author's outbox.
        var row: Int64
        var at: Int64
    }

    private struct Channel {
        /// Member devices after each change.
        var members: [Int64: Set<Party>] = [:]
        /// Changes that were seen before one that comes earlier.
        var early: [Int64: Membership] = [:]
        var version: Int64 = 0
        /// Versions whose epochs have begun.
        var started: Set<Int64> = []
        /// When a device left last, by version.
        var left: [Party: Int64] = [:]
        /// When a device came in last, or said that it has no keys by asking again.
        var entered: [Party: Int64] = [:]
    }

    private(set) var written: [Written] = []
    /// Texts of copies of devices, which nobody need read.
    var strays: Set<String> = []
    private var channels: [ChannelID: Channel] = [:]
    /// Version of the members of each epoch.
    private var epochs: [[UInt8]: (channel: ChannelID, version: Int64)] = [:]

    mutating func wrote(_ message: Written) { written.append(message) }

    /// A change that a channel's node has accepted.
    mutating func accepted(_ membership: Membership) {
        var channel = channels[membership.channel] ?? Channel()
        defer { channels[membership.channel] = channel }
        guard membership.version > channel.version else { return }
        channel.early[membership.version] = membership
        while let next = channel.early.removeValue(forKey: channel.version + 1) {
            var members = channel.members[channel.version] ?? []
            for party in next.left {
                members.remove(party)
                channel.left[party] = next.version
            }
            members.formUnion(next.joined.map(\.party))
            for joiner in next.joined { channel.entered[joiner.party] = next.version }
            if next.change.isEnd { members = [] }
            channel.version = next.version
            channel.members[next.version] = members
            guard next.change.predecessor != nil else { continue }
            epochs[next.joinHash] = (next.channel, next.version)
            channel.started.insert(next.version)
        }
    }

    /// An epoch that a channel's node has accepted.
    mutating func accepted(_ epoch: EpochStart) {
        epochs[epoch.name] = (epoch.channel, epoch.membership)
        channels[epoch.channel]?.started.insert(epoch.membership)
    }

    /// An epoch that started by time, of which the channel's node keeps no more than the name.
    mutating func rotated(to epoch: [UInt8], of channel: ChannelID, _ version: Int64) {
        if epochs[epoch] == nil { epochs[epoch] = (channel, version) }
    }

    func hasEpoch(of channel: ChannelID, _ version: Int64) -> Bool {
        channels[channel]?.started.contains(version) ?? false
    }

    func version(of channel: ChannelID) -> Int64 { channels[channel]?.version ?? 0 }
    func members(of channel: ChannelID) -> Set<Party> {
        channels[channel].flatMap { $0.members[$0.version] } ?? []
    }

    /// Who may read a message to a channel, and who of them must: who has neither left since nor had to ask for keys again.
    /// - Returns: nil for an epoch that the channel's node has never had.
    func readers(inEpoch epoch: [UInt8]) -> (may: Set<Party>, must: Set<Party>)? {
        guard let (id, version) = epochs[epoch], let channel = channels[id], let may = channel.members[version] else {
            return nil
        }
        return (may, may.filter { channel.left[$0] ?? 0 <= version && channel.entered[$0] ?? 0 <= version })
    }
}

extension Party {
    var user: UserID? { if case .device(let user, _) = self { user } else { nil } }
}
