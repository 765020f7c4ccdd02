import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Changes besides joins, as a channel's node makes them.
extension Hub {
    /// What one change brings to whom.
    struct Made {
        var membership: JSONObject
        var keys: MemberKeys?
    }

    /// Numbers and signs a change without sending it.
    ///
    /// - Parameters:
    ///   - sponsor: starts a fresh epoch and gets the keys of all others; nil: the change needs none.
    ///   - without: members whose keys the hub has not got.
    func make(
        _ change: ChannelChange, in id: ChannelID, sponsor: Party? = nil, without: Set<Party> = []
    ) throws -> Made {
        var channel = channels[id] ?? Channel()
        channel.version += 1
        channel.members.removeAll { change.left.contains($0) || change.isEnd }
        channels[id] = channel
        var change = change
        change.isFresh = sponsor != nil
        let list = MemberList(channel: id, version: channel.version, devices: channel.members)
        let unsigned = Membership.unsigned(
            channel: id, version: channel.version, at: time.now(), joined: [], deviceSet: list.hash, sponsor: sponsor,
            change: change)
        var made = Made(membership: key.signed(unsigned, purpose: .order))
        guard let sponsor else { return made }
        var keys = MemberKeys(channel: id, version: channel.version, to: sponsor, keys: [])
        for member in channel.members where member != sponsor {
            if let joiner = joiners[member], !without.contains(member) {
                keys.keys.append(joiner)
            } else {
                keys.without.append(member)
            }
        }
        made.keys = keys
        return made
    }

    /// Makes a change and sends it to everybody, to those who leave as well.
    @discardableResult
    func carryOut(
        _ change: ChannelChange, in id: ChannelID, sponsor: Party? = nil, without: Set<Party> = []
    ) throws -> Made {
        let told = channels[id]?.members ?? []
        let made = try make(change, in: id, sponsor: sponsor, without: without)
        if let sponsor, let keys = made.keys {
            introduce(told.compactMap(\.user), to: sponsor)
            push(keys.object, to: sponsor)
        }
        for member in told {
            if let user = sponsor?.user { introduce([user], to: member) }
            push(made.membership, to: member)
        }
        return made
    }

    /// Members whose joins nobody has seen.
    func enter(_ devices: [Party], into id: ChannelID) { channels[id]?.members += devices }

    func remove(_ device: Device, from id: ChannelID, sponsor: Device) throws {
        var change = ChannelChange()
        change.left = [device.party]
        try carryOut(change, in: id, sponsor: sponsor.party)
    }
}

extension Party {
    var user: UserID? { if case .device(let user, _) = self { user } else { nil } }
}
