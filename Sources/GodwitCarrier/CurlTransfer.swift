import CCurl
import GodwitBatch
import GodwitProtocol

/// What became of one transfer.
struct CurlOutcome: Sendable {
    /// curl's result; `CURLE_OK` also for an answer with an error status.
    var code: UInt32
    /// Status of the answer, 0 without one.
    var status: Int
    /// The body of an answer that is no success, cut at `CurlTransfer.errorBodyMax`.
    var errorBody: [UInt8]
    var hasStalled: Bool
    var statistics: ExchangeTraffic
}

/// Bytes on the link, headers and chunk framing included, and how long they took.
struct ExchangeTraffic: Sendable {
    var sent = 0
    var received = 0
    var milliseconds: Int64 = 0
    var reusedConnection = false
    /// Of the connection's opening; nil: it was open.
    var connect: Duration?
    /// From the first byte of the request to the first of the answer.
    var firstByte = Duration.zero
    /// From there to the last byte.
    var rest = Duration.zero
    /// The longest time in which nothing moved, before the answer and in it.
    var longest = (up: Duration.zero, down: Duration.zero)

    /// The request, as the answer begins when all of it has come; and what followed the first byte of the answer. A body
    /// that the answering end began to answer before is not there over HTTP.
    func measured(_ statistics: ExchangeStatistics) -> ExchangeStatistics {
        var statistics = statistics
        statistics.roundTrip = connect
        // What stood still for most of its time shows nothing: the link was gone, or the node was busy.
        if longest.up * 2 <= firstByte {
            statistics.up = ExchangeStatistics.Flow(bytes: ByteCount(sent), time: firstByte, includesRoundTrip: true)
        }
        if longest.down * 2 <= rest {
            statistics.down = ExchangeStatistics.Flow(bytes: ByteCount(received), time: rest)
        }
        return statistics
    }
}

/// One POST on curl's thread: reads the request as it comes, pushes the answer into the pipe.
///
/// Lives on one thread from `perform` to its return; curl's callbacks are called on that thread only.
final class CurlTransfer {
    static let errorBodyMax = 65_536

    private let handle: CurlHandle
    private let body: RequestBody
    private let pipe: ChunkPipe<CurlOutcome>
    private let stallTimeout: Duration
    private let pieceMax: Int
    private var position = 0
    private var traffic = ExchangeTraffic()
    private var errorBody: [UInt8] = []
    private var moved: (sent: Int64, received: Int64) = (0, 0)
    private var lastMove = ContinuousClock.now
    private var hasStalled = false

    init(handle: CurlHandle, body: RequestBody, pipe: ChunkPipe<CurlOutcome>, _ configuration: HTTPCarrierConfiguration)
    {
        self.handle = handle
        self.body = body
        self.pipe = pipe
        stallTimeout = configuration.stallTimeout
        pieceMax = configuration.pieceMax
    }

    /// Blocks until the transfer has ended.
    func perform() -> CurlOutcome {
        let context = Unmanaged.passUnretained(self).toOpaque()
        var code = install(context)
        if code == CURLE_OK {
            code = run()
            if hasFoundDeadConnection(code) { code = run() }
        }
        if code == CURLE_WRITE_ERROR, errorBody.count == Self.errorBodyMax { code = CURLE_OK }
        // The handle outlives this transfer, and must not call it any more.
        _ = install(nil)
        let microseconds = handle.offset(CURLINFO_TOTAL_TIME_T) - handle.offset(CURLINFO_PRETRANSFER_TIME_T)
        traffic.milliseconds = max(0, (microseconds + 500) / 1_000)
        noteTimes()
        traffic.reusedConnection = code == CURLE_OK && handle.long(CURLINFO_NUM_CONNECTS) == 0
        return CurlOutcome(
            code: code.rawValue, status: handle.long(CURLINFO_RESPONSE_CODE), errorBody: errorBody,
            hasStalled: hasStalled, statistics: traffic)
    }

    private func run() -> CURLcode {
        (position, lastMove) = (0, .now)
        return withExtendedLifetime(self) { curl_easy_perform(handle.raw) }
    }

    /// The kept connection had ended, and nothing came back on it. Curl itself begins anew where the end shows as it
    /// reads, not where it shows as it writes a later chunk.
    private func hasFoundDeadConnection(_ code: CURLcode) -> Bool {
        [CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING].contains(code) && !pipe.isAbandoned
            && traffic.received == 0 && handle.long(CURLINFO_NUM_CONNECTS) == 0
    }

    private func noteTimes() {
        func time(_ info: CURLINFO) -> Int64 { handle.offset(info) }
        let first = time(CURLINFO_STARTTRANSFER_TIME_T)
        if handle.long(CURLINFO_NUM_CONNECTS) > 0 {
            traffic.connect = .microseconds(max(time(CURLINFO_CONNECT_TIME_T) - time(CURLINFO_NAMELOOKUP_TIME_T), 0))
        }
        guard first > 0 else { return }
        traffic.firstByte = .microseconds(max(first - time(CURLINFO_PRETRANSFER_TIME_T), 0))
        traffic.rest = .microseconds(max(time(CURLINFO_TOTAL_TIME_T) - first, 0))
    }

    private func install(_ context: UnsafeMutableRawPointer?) -> CURLcode {
        let results = [
            handle.setBody(size: body.size),
            godwit_curl_set_read(
                handle.raw, { CurlTransfer.at($3)?.read(into: $0, room: $1 * $2) ?? Int(CURL_READFUNC_ABORT) }, context),
            godwit_curl_set_seek(
                handle.raw, { CurlTransfer.at($0)?.seek(to: $1, from: $2) ?? CInt(CURL_SEEKFUNC_FAIL) }, context),
            godwit_curl_set_write(handle.raw, { CurlTransfer.at($3)?.write($0, count: $1 * $2) ?? 0 }, context),
            godwit_curl_set_progress(
                handle.raw, { context, _, down, _, up in CurlTransfer.at(context)?.progress(down, up) ?? 1 }, context),
            godwit_curl_set_debug(
                handle.raw,
                { _, kind, _, count, context in
                    CurlTransfer.at(context)?.count(kind, count)
                    return 0
                }, context),
        ]
        return results.first { $0 != CURLE_OK } ?? CURLE_OK
    }

    private static func at(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
        context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
    }

    private func read(into target: UnsafeMutablePointer<CChar>?, room: Int) -> Int {
        guard let target, room > 0,
            let read = body.read(
                at: position, into: UnsafeMutableRawBufferPointer(start: target, count: min(room, pieceMax)))
        else { return Int(CURL_READFUNC_ABORT) }
        position += read.count
        // The time that a record took to be made is no stall of the link.
        if read.hasWaited { lastMove = .now }
        return read.count
    }

    private func seek(to offset: curl_off_t, from origin: CInt) -> CInt {
        guard origin == 0, body.contains(offset: Int(offset)) else { return CInt(CURL_SEEKFUNC_FAIL) }
        position = Int(offset)
        return CInt(CURL_SEEKFUNC_OK)
    }

    /// Fewer bytes taken than offered makes curl break off.
    private func write(_ bytes: UnsafeMutablePointer<CChar>?, count: Int) -> Int {
        guard let bytes, count > 0 else { return count }
        let chunk = [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
        guard handle.long(CURLINFO_RESPONSE_CODE) == 200 else {
            errorBody += chunk.prefix(Self.errorBodyMax - errorBody.count)
            // The page of whatever stands between is not worth a thin link, and need not end.
            return errorBody.count < Self.errorBodyMax ? count : 0
        }
        let isTaken = pipe.push(chunk)
        // The pipe may have blocked while the records were being committed: that is no stall of the link.
        lastMove = .now
        return isTaken ? count : 0
    }

    /// Called by curl at least once a second. Anything but 0 breaks off.
    private func progress(_ down: curl_off_t, _ up: curl_off_t) -> CInt {
        if pipe.isAbandoned { return 1 }
        let now = ContinuousClock.now
        if moved != (Int64(up), Int64(down)) {
            if moved.received == 0 {
                traffic.longest.up = max(traffic.longest.up, now - lastMove)
            } else {
                traffic.longest.down = max(traffic.longest.down, now - lastMove)
            }
            moved = (Int64(up), Int64(down))
            lastMove = now
        }
        guard now - lastMove >= stallTimeout else { return 0 }
        hasStalled = true
        return 1
    }

    private func count(_ kind: curl_infotype, _ bytes: Int) {
        switch kind {
        case CURLINFO_HEADER_OUT, CURLINFO_DATA_OUT: traffic.sent += bytes
        case CURLINFO_HEADER_IN, CURLINFO_DATA_IN: traffic.received += bytes
        default: break
        }
    }
}
