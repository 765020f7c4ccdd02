import GodwitBatch
import GodwitProtocol

/// Takes the records of a request from their source, one at a time, as the body has them.
struct OutgoingRecords: Sendable {
    /// Bytes of one request, 16 MiB, as nodes accept them.
    static let requestMax = 16_777_216

    private let source: any RecordSource
    private var bytes = 0

    init(_ source: any RecordSource) { self.source = source }

    /// The next record with its length before it; nil after the last, and where a further one might be too much for one
    /// request.
    /// - Throws: `ProtocolError` 2000 or 2001 for a record whose size none may have, whatever the source throws.
    mutating func next() async throws -> [UInt8]? {
        guard let record = try await nextRecord() else { return nil }
        return ExchangeWriter.frame(record)
    }

    /// The same without its length.
    mutating func nextRecord() async throws -> [UInt8]? {
        guard bytes + Exchange.recordMax + 3 <= Self.requestMax, let record = try await source.next() else {
            return nil
        }
        guard !record.isEmpty else { throw ProtocolError.malformed("A record without bytes cannot be sent.") }
        guard record.count <= Exchange.recordMax else {
            throw ProtocolError.tooLarge(
                "A record is too large.", actual: record.count, firstRefused: Exchange.recordMax + 1)
        }
        bytes += record.count + 3
        return record
    }
}
