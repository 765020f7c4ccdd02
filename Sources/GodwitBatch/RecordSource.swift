import Synchronization

/// The records of one request, each made when the link is ready for it: what is decided late can still follow what has
/// become urgent meanwhile.
public protocol RecordSource: Sendable {
    /// The next record, or nil after the last. One call at a time.
    /// - Throws: what making it throws; the exchange ends by that.
    func next() async throws -> [UInt8]?
    /// Told of a record of the answer of which only the beginning has come, each time when more of it has: the exchange may
    /// break before it is whole. After all records before it were received.
    /// - Parameter beginning: from the record's first byte on, without its length.
    func keep(_ beginning: [UInt8]) async
}

extension RecordSource {
    /// What is not whole is lost.
    public func keep(_ beginning: [UInt8]) async {}
}

/// Records that are there already.
public final class FixedRecords: RecordSource {
    private let records: [[UInt8]]
    private let position = Mutex(0)

    public init(_ records: [[UInt8]]) { self.records = records }

    public func next() async -> [UInt8]? {
        let index = position.withLock { position in
            defer { position += 1 }
            return position
        }
        return index < records.count ? records[index] : nil
    }
}

extension Carrier {
    /// One round trip with records that are there already.
    public func exchange(
        _ records: [[UInt8]], receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        try await exchange(FixedRecords(records), receive: receive)
    }
}
