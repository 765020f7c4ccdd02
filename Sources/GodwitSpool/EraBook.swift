import GRDB

/// The eras in which ids are kept, with a filter for each. Lives on the writer's queue.
///
/// An era ends with its slot of uptime (`DuplicateEras`), or when it holds `idsMax` ids, so that the tree into which ids
/// go stays as small however many come. Filters of ended eras are stored beside them; that of the last one is made
/// again from its ids at opening. After a roll-back filters may know more than the tables: that costs a look-up.
final class EraBook {
    struct Era {
        let number: Int64
        let slot: Int64
        var count = 0
        var filter: EraFilter
    }

    /// In order of their numbers; only the last one takes ids.
    private var eras: [Era] = []
    private var isLoaded = false
    /// Ids of one era.
    private let idsMax: Int

    init(idsMax: Int) { self.idsMax = idsMax }

    /// To be called when changes were taken back: what is listed here may not be there any more.
    func unload() { isLoaded = false }

    func drop(_ number: Int64) { eras.removeAll { $0.number == number } }

    /// Eras that may hold the id, with their slots.
    func holding(_ key: EraFilter.Key, _ memory: WriterMemory, _ database: Database) throws -> [(
        era: Int64, slot: Int64
    )] {
        try load(memory, database)
        var found: [(era: Int64, slot: Int64)] = []
        for era in eras where era.filter.mayHold(key) { found.append((era.number, era.slot)) }
        return found
    }

    /// The era that takes an id at this time; the id is noted in it.
    func take(_ key: EraFilter.Key, slot: Int64, _ memory: WriterMemory, _ database: Database) throws -> Int64 {
        try load(memory, database)
        if eras.last.map({ $0.slot != slot || $0.count >= idsMax }) ?? true {
            try begin(slot, memory, database)
        }
        let last = eras.count - 1
        eras[last].filter.insert(key)
        eras[last].count += 1
        return eras[last].number
    }

    private func begin(_ slot: Int64, _ memory: WriterMemory, _ database: Database) throws {
        if let ended = eras.last { try store(ended, memory, database) }
        let number = (eras.last?.number ?? -1) + 1
        let statement = try memory.statement(.insertEra, database)
        statement.bind(1, number)
        statement.bind(2, slot)
        try statement.run()
        eras.append(Era(number: number, slot: slot, filter: EraFilter(count: idsMax)))
    }

    private func store(_ era: Era, _ memory: WriterMemory, _ database: Database) throws {
        let statement = try memory.statement(.storeFilter, database)
        statement.bind(1, era.filter.bytes)
        statement.bind(2, era.number)
        try statement.run()
    }

    private func load(_ memory: WriterMemory, _ database: Database) throws {
        guard !isLoaded else { return }
        let before = Dictionary(uniqueKeysWithValues: eras.map { ($0.number, $0) })
        var found: [(number: Int64, slot: Int64, filter: EraFilter?)] = []
        try memory.statement(.eras, database).each { row in
            found.append((row.integer(0), row.integer(1), EraFilter(bytes: row.blob(2))))
        }
        let last = found.last?.number
        eras = try found.map { number, slot, filter in
            if let era = before[number], era.slot == slot { return era }
            // What is stored beside the last one, if anything, need not hold all of it.
            if let filter, number != last { return Era(number: number, slot: slot, filter: filter) }
            let era = try read(number, slot, memory, database)
            if number != last { try store(era, memory, database) }
            return era
        }
        isLoaded = true
    }

    /// Makes a filter from the ids of its era: of the last one, and of those that were kept before there were filters.
    private func read(_ number: Int64, _ slot: Int64, _ memory: WriterMemory, _ database: Database) throws -> Era {
        let counting = try memory.statement(.eraCount, database)
        counting.bind(1, number)
        let count = try counting.first { Int($0.integer(0)) } ?? 0
        var era = Era(number: number, slot: slot, count: count, filter: EraFilter(count: max(count, idsMax)))
        let ids = try memory.statement(.eraIDs, database)
        ids.bind(1, number)
        try ids.each { row in
            let bytes = row.blob(0)
            if bytes.count == 32 { era.filter.insert(EraFilter.Key(ItemID(Array(bytes)))) }
        }
        return era
    }
}
