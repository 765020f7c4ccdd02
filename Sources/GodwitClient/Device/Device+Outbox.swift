import GRDB
public import GodwitProtocol

/// A message of this device, how far it has come, and what it waits for, as far as the device knows.
public struct TrackedEntry: Sendable, Hashable {
    /// A message's copy for one node beyond the home node.
    public struct Copy: Sendable, Hashable {
        public var next: NodeID
        public var state: CustodyReport.State
        /// When it will have gone, by the clock of the home node.
        public var goes: Timestamp?
        /// When the home node said so.
        public var told: Timestamp
    }

    /// When what waits goes on.
    public enum Departure: Sendable, Hashable {
        /// The device's next contact with its home node, whenever that is.
        case nextContact
        /// As the home node reckoned when it was asked.
        case at(Timestamp)
    }

    public var entry: OutboxEntry
    /// `queued`, `at_node`, `forwarded`, `delivered`, `read`, `refused` or `expired`.
    public var state: String
    /// One sentence; nil: nothing that is known here.
    public var waitsFor: String?
    /// The link that it waits at, as the home node has told.
    public var link: LinkNotice?
    /// nil: it waits for nothing, or nobody knows.
    public var goes: Departure?
    /// As the home node has said when it was asked (`askCustody`).
    public var copies: [Copy] = []
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

    /// Asks the home node how far messages have come beyond it and when the rest goes: about the newest of those that it
    /// has and that go further. The question goes with the next contact, and the answer comes in the same one.
    ///
    /// - Returns: how many messages it is about; 0: there was nothing to ask.
    /// - Throws: `ProtocolError` 3003 when the spool is full.
    @discardableResult
    public func askCustody(of conversation: Conversation? = nil) async throws -> Int {
        try await store.write { try $0.askCustody(of: conversation) }
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
            return TrackedEntry(
                entry: entry, state: "queued", waitsFor: "the next sync with the home node", goes: .nextContact)
        case .atNode: return try beyondNode(entry)
        case .delivered:
            return TrackedEntry(
                entry: entry, state: entry.wasRead ? "read" : "delivered", copies: try copies(of: entry.row))
        case .refused, .expired:
            return TrackedEntry(entry: entry, state: entry.state.rawValue, waitsFor: entry.error?.message)
        }
    }

    /// What is known of a message that the home node has.
    private func beyondNode(_ entry: OutboxEntry) throws -> TrackedEntry {
        let copies = try copies(of: entry.row)
        guard !entry.wasForwarded else { return TrackedEntry(entry: entry, state: "forwarded", copies: copies) }
        let link = try narrowest(towards: entry.target)
        var tracked = TrackedEntry(entry: entry, state: "at_node", link: link, copies: copies)
        let waiting = copies.filter { $0.state == .waiting }
        let times = waiting.compactMap(\.goes)
        // The last of its copies counts; a time that is over says nothing any more.
        if times.count == waiting.count, let last = times.max(), last > now { tracked.goes = .at(last) }
        let held = try entry.hash.map { hash in
            try row(
                "SELECT 1 FROM client_warning WHERE code = ? AND subject = ?",
                [ClientWarning.Code.held.rawValue, hash.id.text]) != nil
        }
        if held == true, let link {
            tracked.waitsFor = "a better link from the node to \(link.next)"
        } else if !waiting.isEmpty {
            tracked.waitsFor = "a contact of the node with " + waiting.map(\.next.text).joined(separator: ", ")
        }
        return tracked
    }
}
