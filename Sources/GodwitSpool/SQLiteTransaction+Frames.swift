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
            "INSERT INTO spool_frame (peer, incarnation, number, bytes, path, built) VALUES (?, ?, ?, ?, ?, ?)",
            [party, Int64(due.incarnation), Int64(due.number), Data(frame.bytes), frame.path, try uptime()])
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
        return try frames("TRUE", [party], to: peer)
    }

    public func unacknowledged(to peer: Party, path: String) throws -> [OutboundFrame] {
        guard let party = try find(peer) else { return [] }
        return try frames("path = ?", [party, path], to: peer)
    }

    public func unacknowledged(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [OutboundFrame] {
        guard let party = try find(peer) else { return [] }
        return try FrameLimits.storable(numbers).flatMap { range in
            try frames("number BETWEEN ? AND ?", [party, range.lowerBound, range.upperBound], to: peer)
        }
    }

    /// Frames to a peer that fulfil a condition, in number order.
    private func frames(_ condition: String, _ values: StatementArguments, to peer: Party) throws -> [OutboundFrame] {
        try rows(
            """
            SELECT frame, incarnation, number, bytes, path FROM spool_frame WHERE peer = ? AND \(condition)
            ORDER BY incarnation, number
            """, values
        ).map { row in
            OutboundFrame(
                peer: peer, number: Self.number(row), bytes: bytes(row["bytes"]),
                items: try itemRows(inFrame: row["frame"]), path: row["path"])
        }
    }

    private static func number(_ row: Row) -> FrameNumber {
        let incarnation: Int64 = row["incarnation"]
        let number: Int64 = row["number"]
        return FrameNumber(incarnation: UInt32(truncatingIfNeeded: incarnation), number: UInt64(number))
    }

    public func inFlight(to peer: Party) throws -> [FrameSummary] {
        guard let party = try find(peer) else { return [] }
        let uptime = try uptime()
        return try rows(
            """
            SELECT incarnation, number, path, built, length(bytes) AS size FROM spool_frame WHERE peer = ?
            ORDER BY incarnation, number
            """, [party]
        ).map { row in
            FrameSummary(
                number: Self.number(row), path: row["path"], size: ByteCount(row["size"]),
                age: max(0, uptime - (row["built"] as Int64)))
        }
    }

    public func move(_ numbers: [FrameNumber], to path: String, of peer: Party) throws {
        guard let party = try find(peer) else { return }
        for number in numbers where number.number <= FrameLimits.numberMax {
            try run(
                "UPDATE spool_frame SET path = ? WHERE peer = ? AND incarnation = ? AND number = ?",
                [path, party, Int64(number.incarnation), Int64(number.number)])
        }
    }

    public func settledDigests(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [UInt64: [UInt8]] {
        guard let party = try find(peer) else { return [:] }
        var digests: [UInt64: [UInt8]] = [:]
        for range in FrameLimits.storable(numbers) {
            for row in try rows(
                "SELECT number, digest FROM spool_settled WHERE peer = ? AND number BETWEEN ? AND ?",
                [party, range.lowerBound, range.upperBound])
            {
                digests[UInt64(row["number"] as Int64)] = bytes(row["digest"])
            }
        }
        return digests
    }

    private func itemRows(inFrame frame: Int64) throws -> [Int64] {
        try rows("SELECT row FROM spool_item WHERE frame = ? ORDER BY place", [frame]).map { $0["row"] }
    }

    public func acknowledge(
        from peer: Party, incarnation: UInt32, numbers: [ClosedRange<UInt64>]
    ) throws -> [SpoolItem] {
        guard let party = try find(peer) else { return [] }
        var released: [SpoolItem] = []
        var settled: [(number: Int64, digest: [UInt8])] = []
        for range in FrameLimits.storable(numbers) {
            let frames = try rows(
                """
                SELECT frame, number, bytes FROM spool_frame
                WHERE peer = ? AND incarnation = ? AND number BETWEEN ? AND ? ORDER BY number
                """, [party, Int64(incarnation), range.lowerBound, range.upperBound])
            for row in frames {
                let frame: Int64 = row["frame"]
                settled.append((row["number"], BlobStore.digest(of: bytes(row["bytes"]))))
                released += try itemRows(inFrame: frame).compactMap { try end($0, as: .forwarded) }
                try run("DELETE FROM spool_frame WHERE frame = ?", [frame])
            }
        }
        if !settled.isEmpty { try note(settled, to: party) }
        return released
    }

    /// Keeps the digests of frames above the lowest one that still travels, and no others.
    private func note(_ settled: [(number: Int64, digest: [UInt8])], to party: Int64) throws {
        guard let lowest = try integer("SELECT min(number) FROM spool_frame WHERE peer = ?", [party]) else {
            return try run("DELETE FROM spool_settled WHERE peer = ?", [party])
        }
        try run("DELETE FROM spool_settled WHERE peer = ? AND number < ?", [party, lowest])
        for frame in settled where frame.number > lowest {
            try run(
                "INSERT OR REPLACE INTO spool_settled (peer, number, digest) VALUES (?, ?, ?)",
                [party, frame.number, Data(frame.digest)])
        }
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
        try run("DELETE FROM spool_settled WHERE peer = ?", [party])
        try run("UPDATE spool_party SET incarnation = ?, next = 1 WHERE party = ?", [Int64(incarnation), party])
    }
}
