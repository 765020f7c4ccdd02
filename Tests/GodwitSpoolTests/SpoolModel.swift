import GodwitProtocol

@testable import GodwitSpool

/// What a spool should do, written as plainly as possible: lists that are searched from end to end.
struct SpoolModel: Sendable {
    struct Copy: Sendable {
        var item: NewItem
        var row: Int64
        var arrived: Int64
        var frame: FrameNumber?
        var state: CustodyState
        func age(at now: Int64) -> Int64 { now - arrived + item.age }
        var inCustody: Bool { state == .waiting || state == .framed }
    }

    struct Frame: Sendable {
        var frame: OutboundFrame
        var open = true
    }

    var now: Int64 = 0
    var copies: [Copy] = []
    var frames: [Frame] = []
    var sender: [Party: FrameNumber] = [:]

    /// True if the item is new. (The tests' detection time is never over.)
    mutating func enqueue(_ item: NewItem, row: Int64?) -> Bool {
        let known = copies.contains { $0.item.id == item.id && $0.item.destination == item.destination }
        if !known, let row { copies.append(Copy(item: item, row: row, arrived: now, state: .waiting)) }
        return !known
    }

    func waiting(_ destination: Party, _ priority: PriorityClass) -> [Copy] {
        let all = copies.filter {
            $0.state == .waiting && $0.item.destination == destination && $0.item.priority == priority
        }
        func left(_ copy: Copy) -> Int64 { copy.item.lifetime - copy.age(at: now) }
        let urgent = all.filter { left($0) <= 3_600_000 }.sorted { (left($0), $0.row) < (left($1), $1.row) }
        return urgent + all.filter { left($0) > 3_600_000 }
    }

    mutating func record(_ frame: OutboundFrame) {
        for index in copies.indices where frame.items.contains(copies[index].row) {
            copies[index].state = .framed
            copies[index].frame = frame.number
        }
        frames.append(Frame(frame: frame))
        sender[frame.peer] = FrameNumber(incarnation: frame.number.incarnation, number: frame.number.number + 1)
    }

    /// Rows whose custody ends.
    mutating func acknowledge(_ peer: Party, _ range: ClosedRange<UInt64>) -> [Int64] {
        var released: [Int64] = []
        let incarnation = sender[peer]?.incarnation
        for index in frames.indices where frames[index].open && frames[index].frame.peer == peer {
            let frame = frames[index].frame
            guard frame.number.incarnation == incarnation, range.contains(frame.number.number) else { continue }
            frames[index].open = false
            released += end(
                rows: frame.items.filter { row in copies.contains { $0.row == row && $0.inCustody } }, .forwarded)
        }
        return released
    }

    mutating func end(rows: [Int64], _ state: CustodyState) -> [Int64] {
        rows.filter { row in
            guard let index = copies.firstIndex(where: { $0.row == row && $0.inCustody }) else { return false }
            copies[index].state = state
            return true
        }
    }

    mutating func renew(_ peer: Party, _ incarnation: UInt32) {
        for index in frames.indices where frames[index].frame.peer == peer && frames[index].open {
            frames[index].open = false
            for copy in copies.indices
            where frames[index].frame.items.contains(copies[copy].row) && copies[copy].state == .framed {
                copies[copy].state = .waiting
            }
        }
        sender[peer] = FrameNumber(incarnation: incarnation, number: 1)
    }

    mutating func expire(_ elapsed: Int64) -> Set<Int64> {
        now += elapsed
        let due = copies.filter { $0.inCustody && $0.age(at: now) >= $0.item.lifetime }.map(\.row)
        return Set(end(rows: due, .expired))
    }

    func unacknowledged(_ peer: Party) -> [OutboundFrame] {
        frames.filter { $0.open && $0.frame.peer == peer }.map { entry in
            var frame = entry.frame
            frame.items.removeAll { row in !copies.contains { $0.row == row && $0.state == .framed } }
            return frame
        }
    }
}
