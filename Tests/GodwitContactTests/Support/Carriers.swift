import GodwitBatch
import GodwitProtocol
import Synchronization

/// Where a link breaks, counted over the records of one exchange.
enum Fault: Sendable, Hashable {
    case none
    /// The request ends before record `n`, from 0; the answering end has taken those before.
    case request(before: Int)
    /// Of record `n` of the request only the beginning arrives: so many bytes, at most all but the last; nil: three fifths.
    case within(request: Int, bytes: Int? = nil)
    /// Record `n` of the request arrives with a byte changed.
    case altered(request: Int)
    /// The answer ends before record `n`; 0: it is lost as a whole.
    case answer(before: Int)
    /// Of record `n` of the answer only the beginning arrives, as of one of the request.
    case withinAnswer(Int, bytes: Int? = nil)
    /// Record `n` of the answer arrives with a byte changed.
    case alteredAnswer(Int)
    /// The request is carried out twice; the caller sees the second answer.
    case twice
}

/// Carries exchanges inside the process, with faults, and counts what crosses.
final class LoopCarrier: Carrier {
    struct Count: Sendable {
        var exchanges = 0
        /// Records of requests and answers, as they were put on the link.
        var requests: [[Int]] = []
        var answers: [[Int]] = []
    }
    private let service: any ExchangeService
    private let faults: Mutex<[Fault]>
    private let counted = Mutex(Count())

    init(_ service: any ExchangeService, faults: [Fault] = []) {
        self.service = service
        self.faults = Mutex(faults)
    }

    var count: Count { counted.withLock { $0 } }

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let fault = faults.withLock { $0.isEmpty ? .none : $0.removeFirst() }
        counted.withLock {
            $0.exchanges += 1
            $0.requests.append([])
            $0.answers.append([])
        }
        guard fault == .twice else { return try await carry(request, fault, receive) }
        var records: [[UInt8]] = []
        while let record = try await request.next() { records.append(record) }
        _ = try await carry(FixedRecords(records), .none) { _ in }
        return try await carry(FixedRecords(records), fault, receive)
    }

    private func carry(
        _ request: any RecordSource, _ fault: Fault, _ receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        var sent = 0
        var received = 0
        let session = await service.openExchange()
        var position = 0
        while let record = try await request.next() {
            let index = position
            position += 1
            if fault == .request(before: index) { throw Self.broken }
            counted.withLock { $0.requests[$0.requests.count - 1].append(record.count) }
            sent += record.count
            if case .within(index, let bytes) = fault {
                await session.keep(Self.beginning(record, bytes))
                throw Self.broken
            }
            try await session.receive(fault == .altered(request: index) ? Self.altered(record) : record)
        }
        if fault == .request(before: position) { throw Self.broken }
        var index = 0
        while let record = try await session.next() {
            counted.withLock { $0.answers[$0.answers.count - 1].append(record.count) }
            if fault == .answer(before: index) { throw Self.broken }
            if case .withinAnswer(index, let bytes) = fault {
                await request.keep(Self.beginning(record, bytes))
                throw Self.broken
            }
            received += record.count
            try await receive(fault == .alteredAnswer(index) ? Self.altered(record) : record)
            index += 1
        }
        return ExchangeStatistics(
            sent: ByteCount(sent), received: ByteCount(received), duration: 1, reusedConnection: false)
    }

    private static func beginning(_ record: [UInt8], _ bytes: Int?) -> [UInt8] {
        Array(record.prefix(min(bytes ?? record.count * 3 / 5, record.count - 1)))
    }

    static func altered(_ record: [UInt8]) -> [UInt8] {
        var record = record
        // Of the rest of a frame that may be only the last byte.
        record[record.count - (record.count < 40 ? 1 : 20)] ^= 1
        return record
    }

    static var broken: ProtocolError { ProtocolError(.nodeUnreachable, "The link broke.") }
}

/// Carries exchanges inside the process as a carrier does that goes both ways at once: after each record it asks for what
/// can be answered early.
final class EagerCarrier: Carrier {
    private let service: any ExchangeService
    /// Records that were answered before the request had ended, and after.
    let early = Mutex(0)
    let late = Mutex(0)

    init(_ service: any ExchangeService) { self.service = service }

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let session = await service.openExchange()
        // The answer is on its way while the request is: it arrives when that has gone out.
        var answer: [[UInt8]] = []
        while let record = try await request.next() {
            try await session.receive(record)
            while let record = try await session.nextEarly() { answer.append(record) }
        }
        let count = answer.count
        early.withLock { $0 += count }
        while let record = try await session.next() { answer.append(record) }
        let rest = answer.count - count
        late.withLock { $0 += rest }
        for record in answer { try await receive(record) }
        return ExchangeStatistics(sent: .zero, received: .zero, duration: 1, reusedConnection: false)
    }
}
