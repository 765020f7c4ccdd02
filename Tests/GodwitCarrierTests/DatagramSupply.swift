@testable import GodwitCarrier

/// Records of a request, made one after the other when the stream asks: bulk, and one that becomes urgent at a time.
struct DatagramSupply {
    /// Bytes of the first record, of the urgent one and of each other one.
    var first = 90
    var urgent = 180
    var bulk: Int
    var count: Int
    var urgentAt: Duration
    /// So long a record takes to be made.
    var making = Duration.milliseconds(10)

    private(set) var readyAt: Duration?
    private var isReadyUrgent = false
    private var made = 0
    private var written = 0
    private(set) var isEnded = false

    /// When each bulk record was begun to be made.
    private(set) var bulkBegun: [Duration] = []
    private(set) var urgentBegun: Duration?
    /// Bytes that stood before the urgent record unsent when it was written.
    private(set) var unsentBefore = 0
    private var urgentEnd = Int.max
    private(set) var urgentArrived: Duration?

    init(bulk: Int, count: Int, urgentAt: Duration) {
        self.bulk = bulk
        self.count = count
        self.urgentAt = urgentAt
    }

    /// Bytes of all records.
    var total: Int { first + urgent + bulk * count }

    mutating func advance(_ stream: inout DatagramStream, at now: Duration) {
        if written == 0 { write(first, &stream, at: now) }
        if let ready = readyAt, ready <= now {
            readyAt = nil
            if isReadyUrgent { unsentBefore = stream.output.unsent }
            write(isReadyUrgent ? urgent : bulk, &stream, at: now)
            if isReadyUrgent { urgentEnd = written }
        }
        guard readyAt == nil, !isEnded, stream.isHungry(at: now) else { return }
        let isUrgent = urgentBegun == nil && urgentAt <= now
        guard isUrgent || made < count else {
            // One that comes too late belongs to another request.
            isEnded = true
            return stream.finish()
        }
        stream.awaitRecord(at: now)
        readyAt = now + making
        isReadyUrgent = isUrgent
        if isUrgent {
            urgentBegun = now
        } else {
            made += 1
            bulkBegun.append(now)
        }
    }

    private mutating func write(_ bytes: Int, _ stream: inout DatagramStream, at now: Duration) {
        stream.write([UInt8](repeating: 7, count: bytes), at: now)
        written += bytes
    }

    mutating func note(arrived: Int, at now: Duration) {
        if urgentArrived == nil, arrived >= urgentEnd { urgentArrived = now }
    }
}
