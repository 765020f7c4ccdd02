import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func nextFrame(to peer: Party) throws -> FrameNumber {
        let party = try place(peer)
        let found = try row("SELECT incarnation, next FROM spool_party WHERE party = ?", [party])
        guard let found, let incarnation: Int64 = found["incarnation"] else {
            let drawn = configuration.drawIncarnation()
            guard drawn != 0 else { throw SpoolError.zeroIncarnation }
            try run("UPDATE spool_party SET incarnation = ?, next = 1 WHERE party = ?", [Int64(drawn), party])
            return FrameNumber(incarnation: drawn, number: 1)
        }
        let next: Int64 = found["next"]
        return FrameNumber(incarnation: UInt32(truncatingIfNeeded: incarnation), number: UInt64(next))
    }

    public func record(_ frame: OutboundFrame) throws {
        let due = try nextFrame(to: frame.peer)
        guard frame.number == due else { throw SpoolError.wrongFrameNumber }
        let party = try place(frame.peer)
        try run(
            "INSERT INTO spool_frame (peer, incarnation, number, bytes) VALUES (?, ?, ?, ?)",
            [party, Int64(due.incarnation), Int64(due.number), Data(frame.bytes)])
        let number = database.lastInsertedRowID
        for (place, item) in frame.items.enumerated() {
            try run(
                "UPDATE spool_item SET frame = ?, place = ? WHERE row = ? AND frame IS NULL", [number, place, item])
            guard database.changesCount == 1 else { throw SpoolError.itemNotWaiting }
        }
        try run("UPDATE spool_party SET next = next + 1 WHERE party = ?", [party])
    }

    public func unacknowledged(to peer: Party) throws -> [OutboundFrame] {
        guard let party = try find(peer) else { return [] }
        return try rows(
            "SELECT frame, incarnation, number, bytes FROM spool_frame WHERE peer = ? ORDER BY incarnation, number",
            [party]
        ).map { row in
            let incarnation: Int64 = row["incarnation"]
            let number: Int64 = row["number"]
            return OutboundFrame(
                peer: peer,
                number: FrameNumber(
                    incarnation: UInt32(truncatingIfNeeded: incarnation), number: UInt64(number)),
                bytes: bytes(row["bytes"]), items: try itemRows(inFrame: row["frame"]))
        }
    }

    private func itemRows(inFrame frame: Int64) throws -> [Int64] {
        try rows("SELECT row FROM spool_item WHERE frame = ? ORDER BY place", [frame]).map { $0["row"] }
    }

    public func acknowledge(
        from peer: Party, incarnation: UInt32, numbers: [ClosedRange<UInt64>]
    ) throws -> [SpoolItem] {
        guard let party = try find(peer) else { return [] }
        var released: [SpoolItem] = []
        for range in numbers where range.lowerBound <= FrameLimits.numberMax {
            let upper = min(range.upperBound, FrameLimits.numberMax)
            let frames = try rows(
                """
                SELECT frame FROM spool_frame
                WHERE peer = ? AND incarnation = ? AND number BETWEEN ? AND ? ORDER BY number
                """, [party, Int64(incarnation), Int64(range.lowerBound), Int64(upper)])
            for row in frames {
                let frame: Int64 = row["frame"]
                released += try itemRows(inFrame: frame).compactMap { try end($0, as: .forwarded) }
                try run("DELETE FROM spool_frame WHERE frame = ?", [frame])
            }
        }
        return released
    }

    public func renewIncarnation(to peer: Party, incarnation: UInt32) throws {
        guard incarnation != 0 else { throw SpoolError.zeroIncarnation }
        let party = try place(peer)
        let present = try integer("SELECT incarnation FROM spool_party WHERE party = ?", [party])
        guard present != Int64(incarnation) else { throw SpoolError.sameIncarnation }
        try run(
            """
            UPDATE spool_item SET frame = NULL, place = NULL
            WHERE frame IN (SELECT frame FROM spool_frame WHERE peer = ?)
            """, [party])
        try run("DELETE FROM spool_frame WHERE peer = ?", [party])
        try run("DELETE FROM spool_context_out WHERE peer = ?", [party])
        try run("UPDATE spool_party SET incarnation = ?, next = 1 WHERE party = ?", [Int64(incarnation), party])
    }
}
