import GRDB
public import GodwitProtocol

/// A message of this device, how far it has come, and what it waits for, as far as the device knows.
public struct TrackedEntry: Sendable, Hashable {
    public var entry: OutboxEntry
    /// `queued`, `at_node`, `delivered`, `read`, `refused` or `expired`.
    public var state: String
    /// One sentence; nil: nothing that is known here.
    public var waitsFor: String?
    /// The link that it waits at, as the home node has told.
    public var link: LinkNotice?
}

extension Device {
    /// What was written on this device, newest first. Edits and reactions are entries of their own.
    public func recentOutbox(
        conversation: Conversation? = nil, onlyPending: Bool = false, limit: Int = 50
    ) async throws -> [TrackedEntry] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM client_outbox WHERE (?1 IS NULL OR conversation = ?1)
                  AND (NOT ?2 OR state IN ('waiting_keys', 'sealed', 'at_node')) AND hole IS NULL
                ORDER BY row DESC LIMIT ?3
                """, [conversation?.text, onlyPending, limit]
            ).map { try transaction.tracked(OutboxEntry($0, home: transaction.context.home.id)) }
        }
    }
}

extension ClientTransaction {
    func tracked(_ entry: OutboxEntry) throws -> TrackedEntry {
        switch entry.state {
        case .waitingKeys:
            let what =
                switch entry.target {
                case .user: "keys of the reader, asked for at the next sync"
                case .channel: "keys of the channel"
                }
            return TrackedEntry(entry: entry, state: "queued", waitsFor: what)
        case .sealed:
            return TrackedEntry(entry: entry, state: "queued", waitsFor: "the next sync with the home node")
        case .atNode:
            let held = try entry.hash.map { hash in
                try row(
                    "SELECT 1 FROM client_warning WHERE code = ? AND subject = ?",
                    [ClientWarning.Code.held.rawValue, hash.id.text]) != nil
            }
            let link = try narrowest(towards: entry.target)
            guard held == true, let link else {
                return TrackedEntry(entry: entry, state: "at_node", waitsFor: nil, link: link)
            }
            return TrackedEntry(
                entry: entry, state: "at_node", waitsFor: "a better link from the node to \(link.next)", link: link)
        case .delivered: return TrackedEntry(entry: entry, state: entry.wasRead ? "read" : "delivered")
        case .refused, .expired:
            return TrackedEntry(entry: entry, state: entry.state.rawValue, waitsFor: entry.error?.message)
        }
    }
}
