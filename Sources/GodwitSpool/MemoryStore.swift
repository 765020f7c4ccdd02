import GodwitProtocol

/// What a `MemorySpool` holds, with a list of what undoes the present transaction.
final class MemoryStore {
    struct Arrival: Hashable {
        var id: ItemID
        var destination: Party
    }

    struct Mark {
        var row: Int64
        var era: Int64
        /// Nil while in custody.
        var ended: CustodyState?
    }

    struct Held {
        var item: NewItem
        var born: Int64
        var frame: Int64?
        var place = 0
        var ends: Int64 { born + item.lifetime }
    }

    struct Sender {
        var incarnation: UInt32
        var next: UInt64
    }

    struct Ledger {
        var incarnation: UInt32
        var floor: UInt64 = 1
        var digests: [UInt64: [UInt8]] = [:]
        var contexts: [UInt64: [UInt8]] = [:]
    }

    let configuration: SpoolConfiguration
    var undo: [(MemoryStore) -> Void] = []

    private(set) var uptime: Int64 = 0
    private(set) var lastRow: Int64 = 0
    private(set) var lastFrame: Int64 = 0
    private(set) var held: [Int64: Held] = [:]
    private(set) var rows: [Party: Set<Int64>] = [:]
    private(set) var bodies: [[UInt8]: Int] = [:]
    private(set) var bytes = 0
    private(set) var owned: [Party: Int] = [:]
    private(set) var marks: [Arrival: Mark] = [:]
    private(set) var senders: [Party: Sender] = [:]
    private(set) var frames: [Int64: OutboundFrame] = [:]
    /// The uptime at which a frame was built.
    private(set) var built: [Int64: Int64] = [:]
    private(set) var settled: [Party: [UInt64: [UInt8]]] = [:]
    private(set) var ledgers: [Party: [Ledger]] = [:]
    private(set) var contextsOut: [Party: [UInt64: [UInt8]]] = [:]

    init(configuration: SpoolConfiguration) { self.configuration = configuration }

    func rollBack() {
        let steps = undo
        undo = []
        for step in steps.reversed() { step(self) }
    }

    // MARK: Changes that can be undone

    func set<Value>(_ path: ReferenceWritableKeyPath<MemoryStore, Value>, to value: Value) {
        let old = self[keyPath: path]
        undo.append { $0[keyPath: path] = old }
        self[keyPath: path] = value
    }

    func advance(to uptime: Int64) { set(\.uptime, to: uptime) }
    func nextRow() -> Int64 {
        set(\.lastRow, to: lastRow + 1)
        return lastRow
    }
    func setMark(_ arrival: Arrival, _ mark: Mark?) { set(\.marks[arrival], to: mark) }
    func setSender(_ peer: Party, _ sender: Sender) { set(\.senders[peer], to: sender) }
    func setHeld(_ row: Int64, _ value: Held) { set(\.held[row], to: value) }
    func setContextsOut(_ peer: Party, _ value: [UInt64: [UInt8]]) { set(\.contextsOut[peer], to: value) }
    func setLedgers(_ peer: Party, _ value: [Ledger]) { set(\.ledgers[peer], to: value) }
    func setSettled(_ peer: Party, _ digests: [UInt64: [UInt8]]) { set(\.settled[peer], to: digests) }
    func setFrame(_ key: Int64, _ frame: OutboundFrame?) {
        set(\.frames[key], to: frame)
        if frame == nil { set(\.built[key], to: nil) }
    }

    func add(_ frame: OutboundFrame) -> Int64 {
        set(\.lastFrame, to: lastFrame + 1)
        setFrame(lastFrame, frame)
        set(\.built[lastFrame], to: uptime)
        return lastFrame
    }

    func insert(_ row: Int64, _ value: Held) {
        set(\.held[row], to: value)
        let party = value.item.destination
        undo.append { $0.rows[party]?.remove(row) }
        rows[party, default: []].insert(row)
        hold(value, +1)
    }

    func remove(_ row: Int64) -> Held? {
        guard let value = held[row] else { return nil }
        set(\.held[row], to: nil)
        let party = value.item.destination
        undo.append { $0.rows[party]?.insert(row) }
        rows[party]?.remove(row)
        hold(value, -1)
        return value
    }

    /// What shares one body: copies of one item, and whatever has the same large body.
    static func bodyKey(_ item: NewItem) -> [UInt8] {
        item.body.count > SpoolConfiguration.blobThreshold ? item.body : item.id.bytes + item.body
    }

    /// Counts a copy in or out: holders of its body, bytes of the spool, bytes of its owner.
    private func hold(_ value: Held, _ sign: Int) {
        let body = value.item.body
        let key = Self.bodyKey(value.item)
        let holders = bodies[key] ?? 0
        set(\.bodies[key], to: holders + sign == 0 ? nil : holders + sign)
        if holders == 0 || holders + sign == 0 { set(\.bytes, to: bytes + sign * body.count) }
        if let owner = value.item.owner { set(\.owned[owner], to: (owned[owner] ?? 0) + sign * body.count) }
    }
}
