import FoundationEssentials
import GRDB
import GodwitProtocol

/// Where messages of this device are beyond the home node, asked for when a person wants to know (G-118).
extension ClientTransaction {
    /// Queues a question about the newest messages of which the home node may know more than this device.
    ///
    /// - Returns: how many messages it is about; 0: there is nothing to ask, and nothing is queued.
    func askCustody(of conversation: Conversation?) throws -> Int {
        let items = try rows(
            """
            SELECT hash, target FROM client_outbox
            WHERE state = 'at_node' AND forwarded = 0 AND hole IS NULL AND (?1 IS NULL OR conversation = ?1)
            ORDER BY row DESC LIMIT ?2
            """, [conversation?.text, CustodyQuestion.itemsMax]
        ).compactMap { row -> [UInt8]? in
            // Somebody at the same node reads it there: no link is between.
            if case .user(let user) = try MessageTarget(row["target"], defaultNode: context.home.id),
                user.node == context.home.id
            {
                return nil
            }
            return row.blob("hash")
        }
        guard !items.isEmpty else { return 0 }
        _ = try enqueue(CustodyQuestion(from: context.party, items: items, at: now).object)
        return items.count
    }

    func take(_ report: CustodyReport) throws {
        guard report.to == context.party else {
            throw Rejected(.misdirected, "A report of custody for another device arrived here.")
        }
        var told: Set<Int64> = []
        for copy in report.copies {
            let row = try row(
                "SELECT row FROM client_outbox WHERE hash >= ? AND hash <= ?",
                [
                    Data(copy.item + [UInt8](repeating: 0, count: 22)),
                    Data(copy.item + [UInt8](repeating: 255, count: 22)),
                ])
            guard let number = row?["row"] as Int64? else { continue }
            told.insert(number)
            try run(
                """
                INSERT INTO client_custody (row, next, state, goes, told) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (row, next) DO UPDATE SET state = excluded.state, goes = excluded.goes, told = excluded.told
                WHERE excluded.told >= told
                """,
                [number, copy.next.text, copy.state.rawValue, copy.goes?.milliseconds, report.at.milliseconds])
        }
        for number in told {
            try run(
                """
                UPDATE client_outbox SET forwarded = NOT EXISTS (
                  SELECT 1 FROM client_custody c WHERE c.row = client_outbox.row AND c.state <> 'forwarded')
                WHERE row = ?
                """, [number])
        }
    }

    /// What the home node has said last of a message's copies, by node.
    func copies(of row: Int64) throws -> [TrackedEntry.Copy] {
        try rows("SELECT next, state, goes, told FROM client_custody WHERE row = ? ORDER BY next", [row]).map { row in
            TrackedEntry.Copy(
                next: try NodeID(row["next"] as String),
                state: CustodyReport.State(rawValue: row["state"]) ?? .waiting,
                goes: (row["goes"] as Int64?).map { Timestamp(milliseconds: $0) },
                told: Timestamp(milliseconds: row["told"]))
        }
    }
}
