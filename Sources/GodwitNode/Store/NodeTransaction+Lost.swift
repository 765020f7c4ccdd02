import GRDB
import GodwitProtocol
import GodwitSpool

/// What follows when an object's lifetime ends in a queue.
extension NodeTransaction {
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
