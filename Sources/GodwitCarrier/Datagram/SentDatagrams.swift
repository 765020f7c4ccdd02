/// Datagrams that went out and want to be acknowledged.
struct SentDatagrams: Sendable {
    struct Entry: Sendable {
        var number: Int
        /// When its last byte was on the link.
        var sentAt: Duration
        var size: Int
        var places: [Range<Int>]
        /// Counted as lost; kept for a while, in case it was only late.
        var isLost = false
        /// The group of parity that it belongs to.
        var group: Int?
        var isParity = false
        /// Has not come, but parity that is under way may bring it.
        var isHeld = false
    }
    struct Outcome: Sendable {
        var acknowledged: [Entry] = []
        var lost: [Entry] = []
        /// The largest number of the acknowledgement, where it is new.
        var newest: Entry?
    }

    /// Lost ones that are remembered.
    static let lostMax = 64
    /// A datagram may be overtaken by so many; more is not believed to be chance.
    static let overtakingMax = 32

    private var entries: [Entry] = []
    private(set) var nextNumber = 0
    private(set) var bytesInFlight = 0
    private var largestAcknowledged = -1
    /// Datagrams sent later that have come before a missing one counts as lost. A thin link keeps the order, so it
    /// begins at one, and learns from each mistake.
    private(set) var overtaking = 1
    /// Number of the last parity of each group that is under way, or will be.
    private var guards: [Int: Int] = [:]

    var hasInFlight: Bool { entries.contains { !$0.isLost } }
    var hasAcknowledged: Bool { largestAcknowledged >= 0 }
    /// The one sent last, parity left out.
    var last: Entry? { entries.last { !$0.isLost && !$0.isParity } }
    /// Those under way that carry something and belong to no group of parity yet.
    var uncovered: [Entry] { entries.filter { !$0.isLost && $0.group == nil && !$0.places.isEmpty } }

    mutating func add(sentAt: Duration, size: Int, places: [Range<Int>], parityOf group: Int? = nil) {
        entries.append(
            Entry(
                number: nextNumber, sentAt: sentAt, size: size, places: places, group: group, isParity: group != nil))
        nextNumber += 1
        bytesInFlight += size
    }

    /// - Returns: nil for an acknowledgement of what was never sent.
    mutating func acknowledge(_ acknowledgement: Datagram.Acknowledgement) -> Outcome? {
        guard acknowledgement.largest < nextNumber else { return nil }
        largestAcknowledged = max(largestAcknowledged, acknowledgement.largest)
        var outcome = Outcome()
        for entry in entries where acknowledgement.has(entry.number) == true {
            outcome.acknowledged.append(entry)
            if entry.number == acknowledgement.largest { outcome.newest = entry }
            if entry.isLost, entry.group == nil {
                overtaking = min(max(overtaking, largestAcknowledged - entry.number + 1), Self.overtakingMax)
            }
            if !entry.isLost { bytesInFlight -= entry.size }
        }
        entries.removeAll { acknowledgement.has($0.number) == true }
        for index in entries.indices where !entries[index].isLost {
            let behind = acknowledgement.largest - entries[index].number
            guard behind >= overtaking else { continue }
            // Of what lies below the depth the acknowledgement says nothing, until it is beyond anything it could say.
            guard acknowledgement.has(entries[index].number) == false || behind > Datagram.Acknowledgement.depthMax
            else { continue }
            entries[index].isHeld = awaitsParity(entries[index], by: acknowledgement)
            if !entries[index].isHeld { outcome.lost.append(lose(index)) }
        }
        forgetParity()
        forget()
        return outcome
    }

    /// Gives up the one sent last.
    mutating func loseLast() -> Entry? {
        entries.lastIndex { !$0.isLost && !$0.isParity }.map { lose($0) }
    }

    private mutating func lose(_ index: Int) -> Entry {
        entries[index].isLost = true
        bytesInFlight -= entries[index].size
        return entries[index]
    }

    mutating func removeAll() {
        entries = []
        guards = [:]
        bytesInFlight = 0
    }

    private mutating func forget() {
        var surplus = entries.count { $0.isLost } - Self.lostMax
        guard surplus > 0 else { return }
        entries.removeAll { entry in
            guard entry.isLost, surplus > 0 else { return false }
            surplus -= 1
            return true
        }
    }
}

// MARK: - Parity

extension SentDatagrams {
    /// Makes a group of those with these numbers.
    mutating func cover(_ numbers: [Int], as group: Int) {
        for index in entries.indices where numbers.contains(entries[index].number) { entries[index].group = group }
    }

    /// The last parity of the group has this number, or will have it.
    mutating func guardGroup(_ group: Int, until number: Int) { guards[group] = number }

    /// Some of the group has not been acknowledged, nor gone again.
    func needsParity(_ group: Int) -> Bool {
        entries.contains { $0.group == group && !$0.isParity && !$0.isLost }
    }

    /// Those that did not come, and are not waited for any longer.
    mutating func loseHeld() -> [Entry] {
        entries.indices.filter { entries[$0].isHeld && !entries[$0].isLost }.map { lose($0) }
    }

    /// The acknowledgement was made before the last parity of the datagram's group had come, or was overtaken.
    private func awaitsParity(_ entry: Entry, by acknowledgement: Datagram.Acknowledgement) -> Bool {
        guard !entry.isParity, let last = entry.group.flatMap({ guards[$0] }) else { return false }
        return acknowledgement.has(last) != true && acknowledgement.largest - last < overtaking
    }

    /// Parity of which nothing is needed any more is not waited for.
    private mutating func forgetParity() {
        let wanted = Set(entries.compactMap { $0.isParity || $0.isLost ? nil : $0.group })
        guards = guards.filter { wanted.contains($0.key) }
        entries.removeAll { entry in
            guard entry.isParity, let group = entry.group, !wanted.contains(group) else { return false }
            if !entry.isLost { bytesInFlight -= entry.size }
            return true
        }
    }
}
