public import GodwitProtocol
import GodwitSpool

/// The first items of each class that waits for a party: what estimates are made from.
enum QueueHead {
    static func queues(
        for party: Party, of classes: Set<PriorityClass>, in transaction: SQLiteTransaction
    ) throws -> [PriorityClass: QueueSummary] {
        try transaction.queues(for: party).filter { classes.contains($0.key) }
    }

    static func all(
        for party: Party, of classes: Set<PriorityClass>, in transaction: SQLiteTransaction
    ) throws -> [PriorityClass: [SpoolItem]] {
        var heads: [PriorityClass: [SpoolItem]] = [:]
        for priority in try queues(for: party, of: classes, in: transaction).keys {
            heads[priority] = try transaction.waiting(
                for: party, class: priority, count: WireEstimate.companyMax, bytes: ByteCount(32_768))
        }
        return heads
    }
}

/// What waits in one class of a link, and when all of it will have gone.
public struct QueueReport: Sendable, Hashable {
    public var priority: PriorityClass
    public var count: Int
    /// Of the bodies as JSON.
    public var bytes: ByteCount
    /// As they will take on the link, estimated.
    public var wire: ByteCount
    /// `LinkOutlook.forecast` and `cost` of all of it; null where nothing can be said.
    public var forecast: JSONValue
    public var cost: JSONObject

    public var object: JSONObject {
        [
            "class": .string(priority.name), "count": .integer(Int64(count)), "bytes": .integer(Int64(bytes.bytes)),
            "wire_bytes": .integer(Int64(wire.bytes)), "forecast": forecast, "cost": .object(cost),
        ]
    }

    /// Classes in the order of their urgency, each behind those before it.
    static func all(
        _ queues: [PriorityClass: QueueSummary], _ heads: [PriorityClass: [SpoolItem]], frame: ByteCount,
        at now: Timestamp, outlook: (PriorityClass) -> LinkOutlook?
    ) -> [QueueReport] {
        var ahead = ByteCount.zero
        return queues.sorted { $0.key < $1.key }.map { priority, queue in
            let wire = WireEstimate(of: nil, among: heads[priority] ?? [], runs: false).wire(queue.bytes, frame: frame)
            let outlook = outlook(priority)
            defer { ahead += wire }
            return QueueReport(
                priority: priority, count: queue.count, bytes: queue.bytes, wire: wire,
                forecast: outlook?.forecast(wire, behind: ahead, at: now) ?? .null, cost: outlook?.cost(wire) ?? [:])
        }
    }
}
