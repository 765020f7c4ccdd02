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
    /// Bytes of records that the carrier has been given since something came back last: how many of them went out only the
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
/// committed and what has come of the frame that was in flight, so nothing crosses twice.
public struct ContactCaller<Store: Spool, Receiver: ItemReceiver>: Sendable
where Store.Transaction == Receiver.Transaction {
    /// Called before each record is handed to the carrier and after each frame of the answer, with what the contact has
    /// done so far; should return soon. The last one tells what a contact did that then broke.
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
        func exchange(_ limits: OutletLimits?) async throws {
            let before = report
            let done = try await self.exchange(limits, peer, carrier) { now in
                var all = before
                all.add(now)
                progress(all)
            }
            report.add(done)
        }
        if try await outlet.holds(for: peer) { try await exchange(nil) }
        repeat {
            let limits = await limits()
            if limits.isOver, report.exchanges > 0 { break }
            try await exchange(limits)
        } while report.more && report.exchanges < exchangesMax
        return report
    }

    /// One exchange.
    /// - Parameter limits: nil: with the loose frame alone.
    private func exchange(
        _ limits: OutletLimits?, _ peer: PeerKey, _ carrier: any Carrier, _ progress: @escaping Progress
    ) async throws -> ContactReport {
        // Told under the lock: records go and come at the same time, and the last report has to be the newest.
        let report = Mutex(ContactReport())
        let (intake, outlet) = (intake, outlet)
        let request = RequestRecords(intake, outlet, to: peer, limits) { bytes in
            report.withLock { report in
                report.underWay += bytes
                progress(report)
            }
        }
        let statistics = try await carrier.exchange(request) { record in
            let taken: TakenFrame
            do { taken = try await intake.take(record, from: peer) } catch {
                // Refused here, but paid for.
                report.withLock { report in
                    report.arrived(record)
                    progress(report)
                }
                throw error
            }
            await request.heard(taken)
            report.withLock { report in
                report.arrived(record)
                report.note(taken)
                progress(report)
            }
        }
        var result = report.withLock { $0 }
        result.exchanges = 1
        result.sentFrames = await request.frames
        result.sent = statistics.sent
        result.received = statistics.received
        result.underWay = .zero
        result.duration = statistics.duration
        result.isCurbed = await request.isCurbed
        let stillBusy = try await outlet.isBusy(for: peer.party)
        result.more = result.more || (stillBusy && !result.isCurbed)
        return result
    }
}

extension ContactReport {
    /// A record of the answer has come: what was handed over before it has gone out, or most of it.
    mutating func arrived(_ record: [UInt8]) {
        sent += underWay
        underWay = .zero
        received += ByteCount(record.count)
    }

    mutating func note(_ taken: TakenFrame) {
        receivedFrames += taken.isUnjoined ? 0 : 1
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
