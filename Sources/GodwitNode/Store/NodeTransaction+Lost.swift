import GRDB
import GodwitProtocol
import GodwitSpool

/// What follows when an item's lifetime ends in a queue.
extension NodeTransaction {
    /// Tells authors of messages that go no further, once for each. A device that was dark for so long is told what it has
    /// missed (`tellMissed`) and asks for it; what others have got meanwhile did not fail for that.
    func reportExpired(_ items: [SpoolItem]) throws {
        var reported: Set<ItemID> = []
        for item in items where item.kind == .message && !reported.contains(item.id) {
            guard try isLastWay(item) else { continue }
            reported.insert(item.id)
            try refuse(
                item.id.bytes, of: Self.author(of: item),
                because: ProtocolError(
                    .nodeUnreachable, "The message expired before it could be delivered.",
                    hint: "Its reader is told when coming back, and can still ask for it.",
                    details: ["destination": .string(item.destination.text)]))
        }
    }

    /// Nobody beyond here gets the message in another way. A body that cannot be read any more counts as the last.
    private func isLastWay(_ item: SpoolItem) throws -> Bool {
        guard let message = try? Message(parsing: item.body) else { return true }
        switch message.address {
        case .channel:
            // All readers of other sites get it by the channel's node.
            let hub = message.channelNode ?? context.id
            return hub != context.id && item.destination == .node(hub)
        case .direct(let address):
            // Of several devices of the reader one is enough; the author's own others do not count.
            guard case .device(let user, _) = item.destination else { return true }
            guard user == address.user else { return false }
            return try !spool.custody(of: item.id).contains {
                $0.destination.user == user && $0.destination != item.destination && $0.state != .expired
            }
        }
    }

    func followUp(lost item: SpoolItem) throws {
        guard item.kind == .object, let object = try? ProtocolObject(parsing: item.body) else { return }
        do {
            switch object {
            case .introduction(let lost): try followUp(lost, to: item.destination)
            case .refusal(let lost): try followUp(lost, to: item.destination)
            case .conversationHeads(let lost): try followUp(lost, to: item.destination)
            case .userMoved(let lost): try followUp(lost: lost, to: item.destination)
            default: return
            }
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            // No room for it: nothing else may fail for that.
        }
    }

    /// An introduction that never arrived was not given: what else waits there needs it again, and what comes later.
    private func followUp(_ lost: Introduction, to party: Party) throws {
        if case .device(lost.userID, let device) = party {
            // By nothing else does a device learn of its user's others. An older list than the newest was followed by that.
            guard let known = try user(lost.userID), known.listVersion <= lost.deviceList.version,
                try signingKey(of: lost.userID, device) != nil
            else { return }
            try enqueueAnew(lost.object, to: party)
            return
        }
        try run(
            "DELETE FROM node_introduction WHERE party = ? AND user = ? AND version <= ?",
            [party.text, lost.userID.text, lost.deviceList.version])
        guard database.changesCount > 0, try !spool.queues(for: party).isEmpty else { return }
        try ensureIntroduced(lost.userID, to: party)
    }

    /// What became of a device's message is kept until the device has heard of it, or is listed no more.
    private func followUp(_ lost: Refusal, to party: Party) throws {
        guard case .device(let user, let device) = party, try signingKey(of: user, device) != nil else { return }
        try enqueueAnew(lost.object, to: party)
    }
}
