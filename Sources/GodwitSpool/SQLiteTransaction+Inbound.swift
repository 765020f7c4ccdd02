import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func commitInbound(_ number: FrameNumber, from peer: Party, digest: [UInt8]) throws -> InboundOutcome {
        try FrameLimits.check(number, digest: digest)
        let ledger = try ledger(number.incarnation, of: peer)
        guard number.number >= ledger.floor else { return .repeated }
        let known = try row(
            "SELECT digest FROM spool_inbound_frame WHERE inbound = ? AND number = ?",
            [ledger.row, Int64(number.number)])
        if let known { return bytes(known["digest"]) == digest ? .repeated : .conflict }
        guard ledger.held < SpoolConfiguration.unsettledMax else { throw FrameLimits.unsettled }
        try run(
            "INSERT INTO spool_inbound_frame (inbound, number, digest) VALUES (?, ?, ?)",
            [ledger.row, Int64(number.number), Data(digest)])
        return .fresh
    }

    public func inbound(from peer: Party) throws -> [InboundState] {
        guard let party = try find(peer) else { return [] }
        return try rows(
            "SELECT inbound, incarnation, floor FROM spool_inbound WHERE peer = ? ORDER BY inbound", [party]
        ).map { row in
            let incarnation: Int64 = row["incarnation"]
            let floor: Int64 = row["floor"]
            let frames = try rows(
                "SELECT number, digest FROM spool_inbound_frame WHERE inbound = ? ORDER BY number",
                [row["inbound"] as Int64])
            return InboundState(
                incarnation: UInt32(truncatingIfNeeded: incarnation),
                ranges: NumberRanges.joining(frames.map { UInt64($0["number"] as Int64) }), floor: UInt64(floor),
                digests: frames.map { bytes($0["digest"]) })
        }
    }

    public func settleInbound(below floor: UInt64, incarnation: UInt32, from peer: Party) throws {
        let ledger = try ledger(incarnation, of: peer)
        let floor = min(floor, FrameLimits.numberMax)
        guard floor > ledger.floor else { return }
        try run("DELETE FROM spool_inbound_frame WHERE inbound = ? AND number < ?", [ledger.row, Int64(floor)])
        try run("UPDATE spool_inbound SET floor = ? WHERE inbound = ?", [Int64(floor), ledger.row])
    }

    private struct Ledger {
        var row: Int64
        var floor: UInt64
        var held: Int
    }

    /// The ledger of one incarnation, made if needed; the oldest goes when there are too many.
    private func ledger(_ incarnation: UInt32, of peer: Party) throws -> Ledger {
        let party = try place(peer)
        if let row = try row(
            "SELECT inbound, floor, held FROM spool_inbound WHERE peer = ? AND incarnation = ?",
            [party, Int64(incarnation)])
        {
            return Ledger(row: row["inbound"], floor: UInt64(row["floor"] as Int64), held: row["held"])
        }
        try run("INSERT INTO spool_inbound (peer, incarnation) VALUES (?, ?)", [party, Int64(incarnation)])
        let made = database.lastInsertedRowID
        try run(
            """
            DELETE FROM spool_inbound WHERE peer = ?1 AND inbound NOT IN
              (SELECT inbound FROM spool_inbound WHERE peer = ?1 ORDER BY inbound DESC LIMIT ?2)
            """, [party, SpoolConfiguration.incarnationsMax])
        return Ledger(row: made, floor: 1, held: 0)
    }
}
