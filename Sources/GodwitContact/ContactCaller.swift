public import GodwitBatch
import GodwitCrypto
public import GodwitProtocol
public import GodwitSpool
import Synchronization

/// What one contact did.
public struct ContactReport: Sendable, Hashable {
    public var sentFrames = 0
    public var receivedFrames = 0
    public var receivedItems = 0
    public var repeatedFrames = 0
    /// Items that the peer has taken custody of.
    public var releasedItems = 0
    public var sent = ByteCount.zero
    public var received = ByteCount.zero
    /// Bytes of an exchange that has begun and of which nothing came back yet: how many of them went out only the
    /// carrier knows, and one that fails does not say. Zero in the report of a contact that ended well.
    public var underWay = ByteCount.zero
    /// Milliseconds in exchanges.
    public var duration: Int64 = 0
    public var exchanges = 0
    /// The peer said that it has more, or something is left here.
    public var more = false
    /// What is left here did not fit into what the limits leave (`OutletLimits.most`); `more` does not count it.
    public var isCurbed = false

    public init() {}

    /// Something other than empty greetings crossed.
    public var wasUseful: Bool { receivedItems > 0 || releasedItems > 0 }
}

/// The calling end of a contact over any carrier.
///
/// After a contact that broke, the first exchange carries only the loose frame: its answer says what had been
/// committed, so nothing crosses twice but the frame that was in flight.
public struct ContactCaller<Store: Spool, Receiver: ItemReceiver>: Sendable
where Store.Transaction == Receiver.Transaction {
    /// Called when an exchange begins and after each frame of its answer, with what the contact has done so far. The
    /// last one tells what a contact did that then broke.
    public typealias Progress = @Sendable (ContactReport) -> Void

    private let intake: FrameIntake<Store, Receiver>
    public let outlet: FrameOutlet<Store>

    public init(intake: FrameIntake<Store, Receiver>, outlet: FrameOutlet<Store>) {
        self.intake = intake
        self.outlet = outlet
    }

    /// A whole contact: exchanges until neither side has more, at most `exchangesMax`.
    ///
    /// - Throws: what the carrier throws; what was committed before stays.
    public func contact(
        with peer: PeerKey, over carrier: any Carrier, limits: OutletLimits, exchangesMax: Int,
        progress: @escaping Progress = { _ in }
    ) async throws -> ContactReport {
        try await contact(
            with: peer, over: carrier, limits: { limits }, exchangesMax: exchangesMax, progress: progress)
    }

    /// A whole contact whose limits are asked for anew before each exchange, as a budget shrinks.
    ///
    /// - Throws: what the carrier throws; what was committed before stays.
    public func contact(
        with peer: PeerKey, over carrier: any Carrier, limits: @Sendable () async -> OutletLimits, exchangesMax: Int,
        progress: @escaping Progress = { _ in }
    ) async throws -> ContactReport {
        var report = ContactReport()
        func exchange(_ request: Request) async throws {
            let before = report
            let done = try await self.exchange(request, peer, carrier) { now in
                var all = before
                all.add(now)
                progress(all)
            }
            report.add(done)
        }
        if try await !outlet.unacknowledged(to: peer).isEmpty {
            try await exchange(Request(records: [outlet.loose(to: peer, hasMore: true)], isCurbed: false))
        }
        repeat {
            let limits = await limits()
            if limits.isOver, report.exchanges > 0 { break }
            try await exchange(request(to: peer, limits))
        } while report.more && report.exchanges < exchangesMax
        return report
    }

    private struct Request {
        var records: [[UInt8]]
        /// The limits kept something back.
        var isCurbed: Bool
    }

    /// The loose frame, what is unacknowledged, and new frames up to the limit.
    private func request(to peer: PeerKey, _ limits: OutletLimits) async throws -> Request {
        var limits = limits
        let hasBudget = limits.most != nil
        if hasBudget {
            // It goes in any case; its flag for more takes two bytes.
            _ = limits.take(try await outlet.loose(to: peer, hasMore: true).count + 2, urgent: true)
        }
        let held = try await outlet.unacknowledged(to: peer).count
        var (records, left) = try await outlet.unacknowledged(to: peer, within: limits)
        var isCurbed = records.count < held
        var bytes = records.reduce(0) { $0 + $1.count }
        while bytes < limits.exchange.bytes, let record = try await outlet.next(to: peer, takingFrom: &left) {
            records.append(record)
            bytes += record.count
        }
        let isLeft = try await outlet.hasWaiting(for: peer.party)
        if hasBudget, isLeft, bytes < limits.exchange.bytes { isCurbed = true }
        records.insert(try await outlet.loose(to: peer, hasMore: isLeft), at: 0)
        return Request(records: records, isCurbed: isCurbed)
    }

    private func exchange(
        _ request: Request, _ peer: PeerKey, _ carrier: any Carrier, _ progress: @escaping Progress
    ) async throws -> ContactReport {
        let records = request.records
        var begun = ContactReport()
        begun.underWay = ByteCount(records.reduce(0) { $0 + $1.count })
        progress(begun)
        let report = Mutex(begun)
        let (intake, outlet) = (intake, outlet)
        let statistics = try await carrier.exchange(records) { record in
            let taken: TakenFrame
            do { taken = try await intake.take(record, from: peer) } catch {
                // Refused here, but paid for.
                progress(
                    report.withLock { report in
                        report.arrived(record)
                        return report
                    })
                throw error
            }
            await outlet.heard(taken)
            progress(
                report.withLock { report in
                    report.arrived(record)
                    report.note(taken)
                    return report
                })
        }
        var result = report.withLock { $0 }
        result.exchanges = 1
        result.sentFrames = records.count - 1
        result.sent = statistics.sent
        result.received = statistics.received
        result.underWay = .zero
        result.duration = statistics.duration
        let stillBusy = try await outlet.isBusy(for: peer.party)
        result.more = result.more || (stillBusy && !request.isCurbed)
        result.isCurbed = request.isCurbed
        return result
    }
}

extension ContactReport {
    /// A record of the answer has come: the request has gone out whole.
    mutating func arrived(_ record: [UInt8]) {
        sent += underWay
        underWay = .zero
        received += ByteCount(record.count)
    }

    mutating func note(_ taken: TakenFrame) {
        receivedFrames += 1
        receivedItems += taken.items
        repeatedFrames += taken.isRepeat ? 1 : 0
        releasedItems += taken.released
        more = taken.hasMore
    }

    /// Adds what a further exchange of the same contact did.
    public mutating func add(_ other: ContactReport) {
        sentFrames += other.sentFrames
        receivedFrames += other.receivedFrames
        receivedItems += other.receivedItems
        repeatedFrames += other.repeatedFrames
        releasedItems += other.releasedItems
        sent += other.sent
        received += other.received
        underWay += other.underWay
        duration += other.duration
        exchanges += other.exchanges
        more = other.more
        isCurbed = other.isCurbed
    }
}
