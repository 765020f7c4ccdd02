public import GodwitProtocol

/// A transaction of `MemorySpool`. Use it only inside the closure that received it.
public struct MemoryTransaction: SpoolTransaction {
    let store: MemoryStore

    private var eras: DuplicateEras { DuplicateEras(time: store.configuration.duplicateDetection) }
    private var oldest: Int64 { eras.oldest(at: store.uptime) }
    private var era: Int64 { eras.slot(at: store.uptime) }

    // MARK: Items

    public func enqueue(_ item: NewItem) throws -> EnqueueOutcome {
        let admission = Admission(limits: store.configuration)
        try admission.validate(item)
        let arrival = MemoryStore.Arrival(id: item.id, destination: item.destination)
        if let mark = store.marks[arrival], mark.ended == nil || mark.era >= oldest { return .duplicate }
        let load = Admission.Load(
            spoolBytes: store.bytes, addedBytes: store.bodies[MemoryStore.bodyKey(item)] == nil ? item.body.count : 0,
            destinationItems: store.rows[item.destination]?.count ?? 0,
            ownerBytes: item.owner.flatMap { store.owned[$0] } ?? 0, disk: store.configuration.disk("/"))
        try admission.admit(item, under: load)
        let row = store.nextRow()
        store.insert(row, MemoryStore.Held(item: item, born: store.uptime - item.age))
        store.setMark(arrival, MemoryStore.Mark(row: row, era: era))
        return .accepted(row: row)
    }

    public func queues(for destination: Party) throws -> [PriorityClass: QueueSummary] {
        var queues: [PriorityClass: QueueSummary] = [:]
        for (_, held) in waiting(for: destination) {
            let age = store.uptime - held.born
            let left = max(0, held.ends - store.uptime)
            var queue =
                queues[held.item.priority] ?? QueueSummary(count: 0, bytes: .zero, oldestAge: age, firstExpiry: left)
            queue.count += 1
            queue.bytes += ByteCount(held.item.body.count)
            queue.oldestAge = max(queue.oldestAge, age)
            queue.firstExpiry = min(queue.firstExpiry, left)
            queues[held.item.priority] = queue
        }
        return queues
    }

    private func waiting(for destination: Party) -> [(row: Int64, held: MemoryStore.Held)] {
        (store.rows[destination] ?? []).compactMap { row in
            guard let held = store.held[row], held.frame == nil else { return nil }
            return (row, held)
        }
    }

    public func waiting(
        for destination: Party, class priority: PriorityClass, count: Int, bytes: ByteCount
    ) throws -> [SpoolItem] {
        let horizon = store.uptime + SpoolConfiguration.urgentWithin
        let all = waiting(for: destination).filter { $0.held.item.priority == priority }
        let urgent = all.filter { $0.held.ends <= horizon }.sorted { ($0.held.ends, $0.row) < ($1.held.ends, $1.row) }
        let others = all.filter { $0.held.ends > horizon }.sorted { $0.row < $1.row }
        var chosen: [SpoolItem] = []
        var total = 0
        for (row, held) in urgent + others {
            let size = held.item.body.count
            guard chosen.count < count, chosen.isEmpty || total + size <= bytes.bytes else { break }
            total += size
            chosen.append(item(row, held))
        }
        return chosen
    }

    private func item(_ row: Int64, _ held: MemoryStore.Held, state: CustodyState? = nil) -> SpoolItem {
        let item = held.item
        return SpoolItem(
            row: row, id: item.id, kind: item.kind, body: item.body, destination: item.destination,
            priority: item.priority, created: item.created, lifetime: item.lifetime, age: store.uptime - held.born,
            state: state ?? (held.frame == nil ? .waiting : .framed), owner: item.owner)
    }

    public func destinations() throws -> [Party] {
        store.rows.filter { !$0.value.isEmpty }.map(\.key).sorted { $0.text < $1.text }
    }

    public func custody(of id: ItemID) throws -> [Custody] {
        store.marks.compactMap { arrival, mark -> Custody? in
            guard arrival.id == id, mark.ended == nil || mark.era >= oldest else { return nil }
            let held: CustodyState = store.held[mark.row]?.frame == nil ? .waiting : .framed
            return Custody(destination: arrival.destination, state: mark.ended ?? held)
        }.sorted { $0.destination.text < $1.destination.text }
    }

    public func ids(beginning prefix: [UInt8]) throws -> [ItemID] {
        let known = store.marks.compactMap { arrival, mark in
            arrival.id.bytes.starts(with: prefix) && (mark.ended == nil || mark.era >= oldest) ? arrival.id : nil
        }
        return Set(known).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.prefix(16).map(\.self)
    }

    public func summaries(for destination: Party?, limit: Int) throws -> [ItemSummary] {
        try items(for: destination, limit: limit).map(Self.summary)
    }

    public func summaries(of id: ItemID) throws -> [ItemSummary] {
        try items(for: nil, limit: .max).filter { $0.id == id }.map(Self.summary)
    }

    private static func summary(_ item: SpoolItem) -> ItemSummary {
        ItemSummary(
            id: item.id, kind: item.kind, size: ByteCount(item.body.count), destination: item.destination,
            priority: item.priority, created: item.created, lifetime: item.lifetime, age: item.age, state: item.state)
    }

    public func items(for destination: Party?, limit: Int) throws -> [SpoolItem] {
        let rows = destination.map { store.rows[$0] ?? [] } ?? Set(store.held.keys)
        return rows.sorted().prefix(max(0, limit)).compactMap { row in store.held[row].map { item(row, $0) } }
    }

    public func release(_ rows: [Int64]) throws {
        for row in rows { _ = end(row, as: .forwarded) }
    }

    private func end(_ row: Int64, as state: CustodyState) -> SpoolItem? {
        guard let held = store.remove(row) else { return nil }
        let arrival = MemoryStore.Arrival(id: held.item.id, destination: held.item.destination)
        if var mark = store.marks[arrival] {
            mark.ended = state
            store.setMark(arrival, mark)
        }
        return item(row, held, state: state)
    }

    public func expire(elapsed: Int64) throws -> [SpoolItem] {
        store.advance(to: min(store.uptime + min(max(0, elapsed), SpoolConfiguration.timeMax), 1 << 60))
        let ended = store.held.filter { $0.value.ends <= store.uptime }
            .sorted { ($0.value.ends, $0.key) < ($1.value.ends, $1.key) }
        let items = ended.prefix(SpoolConfiguration.expiredPerCall).compactMap { end($0.key, as: .expired) }
        for (arrival, mark) in store.marks where mark.ended != nil && mark.era < oldest { store.setMark(arrival, nil) }
        return items
    }

    // MARK: Frames to a peer

    public func nextFrame(to peer: Party) throws -> FrameNumber {
        if let sender = store.senders[peer] {
            return FrameNumber(incarnation: sender.incarnation, number: sender.next)
        }
        let drawn = store.configuration.drawIncarnation()
        guard drawn != 0 else { throw SpoolError.zeroIncarnation }
        store.setSender(peer, MemoryStore.Sender(incarnation: drawn, next: 1))
        return FrameNumber(incarnation: drawn, number: 1)
    }

    public func record(_ frame: OutboundFrame) throws {
        let due = try nextFrame(to: frame.peer)
        guard frame.number == due else { throw SpoolError.wrongFrameNumber }
        let key = store.add(frame)
        for (place, row) in frame.items.enumerated() {
            guard var held = store.held[row], held.frame == nil else { throw SpoolError.itemNotWaiting }
            held.frame = key
            held.place = place
            store.setHeld(row, held)
        }
        store.setSender(frame.peer, MemoryStore.Sender(incarnation: due.incarnation, next: due.number + 1))
    }

    /// Keys of the frames to a peer, in number order.
    private func frames(to peer: Party) -> [(key: Int64, frame: OutboundFrame)] {
        store.frames.filter { $0.value.peer == peer }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func rows(_ frame: OutboundFrame, _ key: Int64) -> [Int64] {
        frame.items.filter { store.held[$0]?.frame == key }
    }

    public func unacknowledged(to peer: Party) throws -> [OutboundFrame] {
        frames(to: peer).map { key, frame in
            var frame = frame
            frame.items = rows(frame, key)
            return frame
        }
    }

    public func unacknowledged(to peer: Party, path: String) throws -> [OutboundFrame] {
        try unacknowledged(to: peer).filter { $0.path == path }
    }

    public func unacknowledged(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [OutboundFrame] {
        try unacknowledged(to: peer).filter { frame in numbers.contains { $0.contains(frame.number.number) } }
    }

    public func inFlight(to peer: Party) throws -> [FrameSummary] {
        frames(to: peer).map { key, frame in
            FrameSummary(
                number: frame.number, path: frame.path, size: ByteCount(frame.bytes.count),
                age: store.uptime - (store.built[key] ?? store.uptime))
        }
    }

    public func move(_ numbers: [FrameNumber], to path: String, of peer: Party) throws {
        for (key, frame) in frames(to: peer) where numbers.contains(frame.number) {
            var frame = frame
            frame.path = path
            store.setFrame(key, frame)
        }
    }

    public func settledDigests(to peer: Party, numbers: [ClosedRange<UInt64>]) throws -> [UInt64: [UInt8]] {
        (store.settled[peer] ?? [:]).filter { number, _ in numbers.contains { $0.contains(number) } }
    }

    public func acknowledge(
        from peer: Party, incarnation: UInt32, numbers: [ClosedRange<UInt64>]
    ) throws -> [SpoolItem] {
        var released: [SpoolItem] = []
        var settled = store.settled[peer] ?? [:]
        for range in numbers {
            for (key, frame) in frames(to: peer)
            where frame.number.incarnation == incarnation && range.contains(frame.number.number) {
                settled[frame.number.number] = BlobStore.digest(of: frame.bytes)
                released += rows(frame, key).compactMap { end($0, as: .forwarded) }
                store.setFrame(key, nil)
            }
        }
        let lowest = frames(to: peer).first?.frame.number.number ?? .max
        store.setSettled(peer, settled.filter { $0.key > lowest })
        return released
    }

    public func renewIncarnation(to peer: Party, incarnation: UInt32) throws {
        guard incarnation != 0 else { throw SpoolError.zeroIncarnation }
        guard store.senders[peer]?.incarnation != incarnation else { throw SpoolError.sameIncarnation }
        for (key, frame) in frames(to: peer) {
            for row in rows(frame, key) {
                guard var held = store.held[row] else { continue }
                held.frame = nil
                store.setHeld(row, held)
            }
            store.setFrame(key, nil)
        }
        store.setContextsOut(peer, [:])
        store.setSettled(peer, [:])
        store.setSender(peer, MemoryStore.Sender(incarnation: incarnation, next: 1))
    }
}
