package import GodwitBatch
import GodwitProtocol
import Synchronization

/// Carries exchanges inside the process: what happens to each was drawn before it begins.
package final class SimulatedLink: Carrier {
    private let service: any ExchangeService
    private let tap: WireTap
    private let drawn: Mutex<[LinkFaults.Fate]>

    /// - Parameter fates: of the exchanges of one contact, the first first; those after them are whole.
    package init(_ service: any ExchangeService, _ tap: WireTap, fates: [LinkFaults.Fate]) {
        self.service = service
        self.tap = tap
        drawn = Mutex(fates)
    }

    package func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let fate = drawn.withLock { $0.isEmpty ? .whole : $0.removeFirst() }
        guard fate != .refused else { throw Self.unreachable }
        guard fate == .doubled else { return try await carry(request, fate, receive) }
        var records: [[UInt8]] = []
        while let record = try await request.next() { records.append(record) }
        _ = try await carry(FixedRecords(records), .whole) { _ in }
        return try await carry(FixedRecords(records), .whole, receive)
    }

    private func carry(
        _ request: any RecordSource, _ fate: LinkFaults.Fate,
        _ receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let session = await service.openExchange()
        var (sent, received, place) = (0, 0, 0)
        var left = if case .cut(let after) = fate { after } else { Int.max }
        func passed(_ record: [UInt8]) -> [UInt8] {
            tap.note(record)
            defer { place += 1 }
            return fate == .altered(record: place) ? Self.altered(record) : record
        }
        while let record = try await request.next() {
            guard record.count < left else {
                if left > 0 { await session.keep(Array(record.prefix(left))) }
                throw Self.broken
            }
            left -= record.count
            sent += record.count
            try await session.receive(passed(record))
        }
        while let record = try await session.next() {
            guard fate != .unanswered else { throw Self.broken }
            guard record.count < left else {
                if left > 0 { await request.keep(Array(record.prefix(left))) }
                throw Self.broken
            }
            left -= record.count
            received += record.count
            try await receive(passed(record))
        }
        return ExchangeStatistics(
            sent: ByteCount(sent), received: ByteCount(received), duration: 1, reusedConnection: true)
    }

    private static func altered(_ record: [UInt8]) -> [UInt8] {
        var record = record
        record[record.count * 2 / 3] ^= 0x40
        return record
    }

    static let unreachable = ProtocolError(.nodeUnreachable, "The link is down.")
    static let broken = ProtocolError(.nodeUnreachable, "The link broke.")
}
