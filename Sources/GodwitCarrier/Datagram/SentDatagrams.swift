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

    var hasInFlight: Bool { entries.contains { !$0.isLost } }
    var hasAcknowledged: Bool { largestAcknowledged >= 0 }
    var last: Entry? { entries.last { !$0.isLost } }

    mutating func add(sentAt: Duration, size: Int, places: [Range<Int>]) {
        entries.append(Entry(number: nextNumber, sentAt: sentAt, size: size, places: places))
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
            if entry.isLost {
                overtaking = min(max(overtaking, largestAcknowledged - entry.number + 1), Self.overtakingMax)
            } else {
                bytesInFlight -= entry.size
            }
        }
        entries.removeAll { acknowledgement.has($0.number) == true }
        for index in entries.indices where !entries[index].isLost {
            let behind = acknowledgement.largest - entries[index].number
            guard behind >= overtaking else { continue }
            // Of what lies below the depth the acknowledgement says nothing, until it is beyond anything it could say.
            guard acknowledgement.has(entries[index].number) == false || behind > Datagram.Acknowledgement.depthMax
            else { continue }
            outcome.lost.append(lose(index))
        }
        forget()
        return outcome
    }

    /// Gives up the one sent last.
    mutating func loseLast() -> Entry? {
        entries.lastIndex { !$0.isLost }.map { lose($0) }
    }

    private mutating func lose(_ index: Int) -> Entry {
        entries[index].isLost = true
        bytesInFlight -= entries[index].size
        return entries[index]
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

    mutating func removeAll() {
        entries = []
        bytesInFlight = 0
    }
}
