import GRDB
import GodwitClient
import GodwitProtocol

/// Comings and goings in channels.
extension World {
    /// One wish of one user; its node judges it.
    func change() async throws {
        guard !channels.isEmpty else { return }
        let channel = channels[pick(channels.count)]
        let number = pick(devices.count)
        let device = devices[number].device
        guard devices[number].isAtHand else { return }
        let state = try await device.channels().first { $0.id == channel.id }?.state
        let isOwner = devices[number].user == devices[channel.owner].user
        tally.changes += 1
        do {
            switch state {
            case nil, .left, .refused, .invited: try await device.joinChannel(channel.id)
            case .joining: return
            case .member where isOwner: try await sanction(by: number, in: channel.id)
            case .member: try await device.leaveChannel(channel.id)
            }
            devices[number].isDirty = true
        } catch let error as ProtocolError {
            found(.failed, "device \(number) could not ask for a change: \(error)")
        }
    }

    /// The owner takes somebody out, bans somebody, or lets somebody in again.
    private func sanction(by owner: Int, in channel: ChannelID) async throws {
        let other = pick(devices.count)
        guard devices[other].user != devices[owner].user else { return }
        let (device, user) = (devices[owner].device, devices[other].device.userID)
        switch pick(3) {
        case 0: try await device.removeMember(user, from: channel)
        case 1: try await device.ban(user, from: channel, lifetime: random.integer(1...30) * WorldPlan.day)
        default: try await device.unban(user, in: channel)
        }
    }

    /// Takes note of what a node has accepted of its channels.
    func observe(_ number: Int) async throws {
        let probe = try StoreProbe(nodes[number].spoolDirectory)
        for (id, _) in channels where id.node == nodes[number].id {
            let table = "FROM node_order o JOIN node_channel c ON c.channel = o.channel WHERE c.name = ? AND c.node = ?"
            let names = [id.name.text, id.node.text]
            for row in try probe.rows(
                "SELECT o.membership \(table) AND o.version > ? ORDER BY o.version",
                StatementArguments(names) + [model.version(of: id)])
            {
                model.accepted(try Membership(try JSONObject.parse(row.bytes("membership"))))
            }
            // The epoch of a version may come later than others do.
            let versions = try probe.rows(
                "SELECT o.version \(table) AND o.epoch IS NOT NULL", StatementArguments(names)
            ).map { $0["version"] as Int64 }
            for version in versions where !model.hasEpoch(of: id, version) {
                for row in try probe.rows(
                    "SELECT o.epoch \(table) AND o.version = ?", StatementArguments(names) + [version])
                {
                    let limits = JSONLimits(bytes: ProtocolObject.bytesMax)
                    model.accepted(try EpochStart(try JSONObject.parse(row.bytes("epoch"), limits: limits)))
                }
            }
        }
        try probe.close()
    }
}
