import GRDB
import GodwitProtocol
import GodwitSpool

/// What follows when an object's lifetime ends in a queue.
extension NodeTransaction {
    /// An introduction that never arrived was not given: what else waits there needs it again, and what comes later.
    func followUp(lost item: SpoolItem) throws {
        guard item.kind == .object, case .introduction(let lost)? = try? ProtocolObject(parsing: item.body) else {
            return
        }
        try run(
            "DELETE FROM node_introduction WHERE party = ? AND user = ? AND version <= ?",
            [item.destination.text, lost.userID.text, lost.deviceList.version])
        guard database.changesCount > 0, try !spool.queues(for: item.destination).isEmpty else { return }
        do {
            try ensureIntroduced(lost.userID, to: item.destination)
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            // No room: it is given with the next item that needs it.
        }
    }
}
