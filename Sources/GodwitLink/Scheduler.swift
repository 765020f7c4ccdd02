public import GodwitProtocol

/// Shares out a frame among the classes of traffic: weighted deficit round robin with ageing (GW-04, D-20, G-81).
///
/// - Control goes first. While others wait it takes at most three quarters of a frame, unless they need less than the rest,
///   so that a flood of it starves nobody. Where its first item is larger than that, it gets the whole next frame.
/// - The other classes share the rest by weight, in the order of their urgency. What a class does not need goes to the
///   others. A class that took more than its share, because items have the size that they have, has a debt and takes
///   less in the following frames.
/// - A class that could not use its share, because its next item is larger, has a credit. At most in every other frame the
///   class with the largest credit is given it on top of its share, up to the whole frame, at the cost of the others,
///   control included. So no item that fits into a frame is stuck, and an urgent one waits at most one frame.
/// - A class whose oldest item has waited grows in weight, by its own weight for each minute up to eight times; one whose
///   first item expires within a minute has the full growth at once.
/// - A class of weight 0 goes only when nothing else waits.
///
/// Whoever fills the frame uses `FrameFill` and reports with `settle`. Integers only: the same calls give the same
/// shares everywhere. Which item of a class goes first is the spool's matter.
public struct Scheduler: Sendable, Hashable {
    /// Milliseconds of waiting for which a class grows by its own weight.
    public static let ageStep: Int64 = 60_000
    static let growthMax: Int64 = 7
    /// Items that expire sooner than this, in milliseconds, count as fully aged.
    public static let expiringSoon: Int64 = 60_000
    /// A larger frame is shared out as if it had this size.
    static let frameMax = 1 << 30
    /// Deficits are counted in 1/1024 byte, so that nothing is lost to rounding.
    private static let unit = 1 << 10
    /// Largest credit and debt of a class: one largest frame.
    private static let deficitMax = FrameSizing.payloadMax.bytes * unit

    public var weights: ClassWeights
    /// By class: credit if positive, debt if negative.
    private var deficits = [Int](repeating: 0, count: PriorityClass.allCases.count)
    /// The last frame paid out a credit.
    private var paidCredit = false
    /// Control's first item was larger than what control may take.
    private var controlIsStuck = false

    public init(weights: ClassWeights) {
        self.weights = weights
    }

    /// Shares out the next frame.
    /// - Parameters:
    ///   - queues: what waits, at most one entry for a class; entries without bytes are ignored.
    ///   - frame: size of the frame's payload.
    /// - Returns: shares in the order in which they are to be filled; together at most `frame`.
    public mutating func plan(_ queues: [ClassQueue], frame: ByteCount) -> [Share] {
        let waiting = queues.filter { $0.bytes > .zero }.sorted { $0.priority < $1.priority }
        for priority in PriorityClass.allCases where !waiting.contains(where: { $0.priority == priority }) {
            deficits[priority.rawValue] = 0
        }
        let weighted = waiting.filter { weights[$0.priority] > 0 }
        var room = min(max(frame.bytes, 0), Self.frameMax)
        var shares: [Share] = []
        if waiting.first?.priority != .control { controlIsStuck = false }
        let credit = credited(weighted)
        if let control = waiting.first, control.priority == .control {
            let limit = room - (controlIsStuck ? 0 : kept(for: weighted, room: room, credit: credit?.bytes ?? 0))
            let strict = !controlIsStuck && limit < min(control.bytes.bytes, room)
            Self.append(control, min(control.bytes.bytes, limit), strict: strict, &shares, &room)
            controlIsStuck = false
        }
        if !weighted.isEmpty {
            for (queue, bytes) in zip(weighted, fill(weighted, room: room, credit: credit)) {
                Self.append(queue, bytes, &shares, &room)
            }
            if let credit { shares = Self.moved(credit.priority, in: shares) }
        } else if shares.isEmpty {
            for queue in waiting { Self.append(queue, min(queue.bytes.bytes, room), &shares, &room) }
        }
        return shares
    }

    /// Puts right what a frame really took against what `plan` gave. Without this call shares count as used in full.
    public mutating func settle(_ fill: FrameFill) {
        for share in fill.shares {
            let used = fill.used[share.priority] ?? .zero
            // Not right after a credit: two such frames in a row would keep the urgent waiting.
            if share.priority == .control { controlIsStuck = share.isStrict && used == .zero && !paidCredit }
            guard weights[share.priority] > 0 else { continue }
            let index = share.priority.rawValue
            deficits[index] = Self.clamped(deficits[index] + (share.bytes.bytes - used.bytes) * Self.unit)
        }
    }

    private static func append(
        _ queue: ClassQueue, _ bytes: Int, strict: Bool = false, _ shares: inout [Share], _ room: inout Int
    ) {
        guard bytes > 0 else { return }
        shares.append(Share(priority: queue.priority, bytes: ByteCount(bytes), isStrict: strict))
        room -= bytes
    }

    /// What control leaves to the others: a quarter of the frame, or the credit that is paid, but no more than they need.
    private func kept(for queues: [ClassQueue], room: Int, credit: Int) -> Int {
        let needs = queues.reduce(0) { min($0 + min($1.bytes.bytes, room), room) }
        return min(max(room / 4, min(credit, room)), needs)
    }

    /// A class with a credit comes right after the urgent ones, so that the others do not take its room.
    private static func moved(_ priority: PriorityClass, in shares: [Share]) -> [Share] {
        let first = shares.filter { $0.priority.isUrgent }
        let rest = shares.filter { !$0.priority.isUrgent }
        return first + rest.filter { $0.priority == priority } + rest.filter { $0.priority != priority }
    }

    /// The class whose turn it is to get its credit, and the credit in bytes, at least 1.
    private mutating func credited(_ queues: [ClassQueue]) -> (priority: PriorityClass, bytes: Int)? {
        let best = queues.max { deficits[$0.priority.rawValue] < deficits[$1.priority.rawValue] }
        guard !paidCredit, !controlIsStuck, let best, deficits[best.priority.rawValue] >= Self.unit else {
            // A frame that is control's counts as a turn.
            paidCredit = controlIsStuck
            return nil
        }
        paidCredit = true
        return (best.priority, deficits[best.priority.rawValue] / Self.unit)
    }

    private static func clamped(_ deficit: Int) -> Int { min(max(deficit, -deficitMax), deficitMax) }

    private func weight(_ queue: ClassQueue) -> Int {
        let soon = queue.firstExpiry.map { $0 < Self.expiringSoon } ?? false
        let growth = soon ? Self.growthMax : min(max(queue.oldestAge, 0) / Self.ageStep, Self.growthMax)
        return weights[queue.priority] * Int(1 + growth)
    }

    /// Finds the level to which all classes are raised, each at the speed of its weight, when together they fill the room.
    /// A debt is a start below zero; a credit counts for the one class whose turn it is, and stays for the others.
    private mutating func fill(
        _ queues: [ClassQueue], room: Int, credit: (priority: PriorityClass, bytes: Int)?
    ) -> [Int] {
        let needs = queues.map { min($0.bytes.bytes, room) }
        let speeds = queues.map(weight)
        let starts = queues.map { queue in
            queue.priority == credit?.priority
                ? min(credit?.bytes ?? 0, room) * Self.unit : min(deficits[queue.priority.rawValue], 0)
        }
        func share(_ index: Int, _ level: Int) -> Int {
            min(max((starts[index] + level * speeds[index]) / Self.unit, 0), needs[index])
        }
        func total(_ level: Int) -> Int { queues.indices.reduce(0) { $0 + share($1, level) } }

        var low = 0
        var high = queues.indices.map { (needs[$0] * Self.unit - starts[$0]) / speeds[$0] + 1 }.max() ?? 0
        while low < high {
            let middle = low + (high - low + 1) / 2
            if total(middle) <= room { low = middle } else { high = middle - 1 }
        }
        var shares = queues.indices.map { share($0, low) }
        for index in queues.indices {
            let priority = queues[index].priority.rawValue
            let rest = starts[index] + low * speeds[index] - shares[index] * Self.unit
            let kept = deficits[priority] - starts[index]
            deficits[priority] = shares[index] == queues[index].bytes.bytes ? 0 : Self.clamped(kept + rest)
        }
        var left = room - shares.reduce(0, +)
        for index in queues.indices where left > 0 {
            let more = min(left, needs[index] - shares[index])
            shares[index] += more
            left -= more
        }
        return shares
    }
}
