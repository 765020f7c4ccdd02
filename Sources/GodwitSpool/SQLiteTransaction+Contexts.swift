import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func keepContexts(_ bytes: [UInt8], of number: UInt64, to peer: Party) throws {
        let party = try place(peer)
        try run(
            "INSERT OR REPLACE INTO spool_context_out (peer, number, bytes) VALUES (?, ?, ?)",
            [party, Int64(number), Data(bytes)])
        try run(
            """
            DELETE FROM spool_context_out WHERE peer = ?1
              AND number <= (SELECT max(number) FROM spool_context_out WHERE peer = ?1) - ?2
            """, [party, FrameLimits.contextsKept])
    }

    public func contexts(to peer: Party, from first: UInt64) throws -> [(number: UInt64, bytes: [UInt8])] {
        guard let party = try find(peer) else { return [] }
        return try rows(
            "SELECT number, bytes FROM spool_context_out WHERE peer = ? AND number >= ? ORDER BY number",
            [party, Int64(clamping: first)]
        ).map { (UInt64($0["number"] as Int64), bytes($0["bytes"])) }
    }

    public func keepContexts(_ bytes: [UInt8], of number: FrameNumber, from peer: Party) throws {
        guard let inbound = try inboundRow(number.incarnation, of: peer) else { return }
        try run(
            "INSERT OR REPLACE INTO spool_context_in (inbound, number, bytes) VALUES (?, ?, ?)",
            [inbound, Int64(number.number), Data(bytes)])
        try run(
            """
            DELETE FROM spool_context_in WHERE inbound = ?1
              AND number <= (SELECT max(number) FROM spool_context_in WHERE inbound = ?1) - ?2
            """, [inbound, FrameLimits.contextsKept])
    }

    public func contexts(
        from peer: Party, incarnation: UInt32, numbers: [UInt64]
    ) throws -> [UInt64: [UInt8]] {
        guard let inbound = try inboundRow(incarnation, of: peer) else { return [:] }
        var found: [UInt64: [UInt8]] = [:]
        for number in numbers where number <= FrameLimits.numberMax {
            let row = try row(
                "SELECT bytes FROM spool_context_in WHERE inbound = ? AND number = ?", [inbound, Int64(number)])
            if let row { found[number] = bytes(row["bytes"]) }
        }
        return found
    }

    private func inboundRow(_ incarnation: UInt32, of peer: Party) throws -> Int64? {
        guard let party = try find(peer) else { return nil }
        return try integer(
            "SELECT inbound FROM spool_inbound WHERE peer = ? AND incarnation = ?", [party, Int64(incarnation)])
    }
}
