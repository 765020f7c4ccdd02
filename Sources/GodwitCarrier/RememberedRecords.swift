import GodwitBatch
import GodwitProtocol

/// Remembers what a source has given, so that another way can begin with the first record again. One reader at a time.
actor RememberedRecords {
    private let source: any RecordSource
    private var records: [[UInt8]] = []
    private var isEnded = false

    init(_ source: any RecordSource) { self.source = source }

    fileprivate func keep(_ beginning: [UInt8]) async { await source.keep(beginning) }

    fileprivate func record(at index: Int) async throws -> [UInt8]? {
        if index < records.count { return records[index] }
        guard !isEnded else { return nil }
        guard let record = try await source.next() else {
            isEnded = true
            return nil
        }
        records.append(record)
        return record
    }

    /// All records from the first on, for one way.
    nonisolated func reader() -> Reader { Reader(self) }

    actor Reader: RecordSource {
        private let remembered: RememberedRecords
        private var position = 0
        /// Bytes that this way was given.
        private(set) var bytes = ByteCount.zero

        fileprivate init(_ remembered: RememberedRecords) { self.remembered = remembered }

        func next() async throws -> [UInt8]? {
            guard let record = try await remembered.record(at: position) else { return nil }
            position += 1
            bytes += ByteCount(record.count)
            return record
        }

        func keep(_ beginning: [UInt8]) async { await remembered.keep(beginning) }
    }
}
