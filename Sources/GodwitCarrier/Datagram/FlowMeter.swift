import GodwitBatch
import GodwitProtocol

/// Datagrams of one direction against the clock. The one that comes first only starts the clock, and a pause in which the
/// sender had nothing to say, or the link was gone, starts it anew.
struct FlowMeter: Sendable {
    /// Fewer show no rate: what waits before the first and the last would weigh too much.
    static let datagramsMin = 8

    private var first: Duration?
    private var last = Duration.zero
    private var bytes = 0
    private var datagrams = 0
    private var longest = Duration.zero

    mutating func note(_ size: Int, datagrams count: Int = 1, at now: Duration, pause: Duration) {
        if now - last > pause { first = nil }
        guard first != nil else {
            (first, last, bytes, datagrams, longest) = (now, now, 0, 0, .zero)
            return
        }
        bytes += size
        datagrams += count
        longest = max(longest, now - last)
        last = max(last, now)
    }

    /// - Parameter rate: of whoever sent, in bit/s.
    func flow(pacedAt rate: Double) -> ExchangeStatistics.Flow? {
        // What stood still for most of its time shows nothing.
        guard let first, datagrams >= Self.datagramsMin, last > first, longest * 2 <= last - first else { return nil }
        return ExchangeStatistics.Flow(
            bytes: ByteCount(bytes), time: last - first, pace: BitRate(bitsPerSecond: Int(min(rate, 1e12))))
    }
}

extension DatagramStream {
    /// Where more datagrams than this come against the stream, acknowledgements wait behind data and their times show nothing.
    private static var crossedMax: Int { 4 }

    /// Notes what an acknowledgement of `size` bytes says has arrived: when its first byte left the peer.
    mutating func meter(_ acknowledged: [SentDatagrams.Entry], carriedBy size: Int, at now: Duration) {
        guard !acknowledged.isEmpty, crossed <= Self.crossedMax else { return }
        let arrived = acknowledged.reduce(0) { $0 + $1.size + link.header }
        upMeter.note(
            arrived, datagrams: acknowledged.count, at: now - link.receiveTime(size),
            pause: max(link.sendTime(link.payloadMax) * 32, link.fullRoundTrip * 2))
    }

    /// Notes what has come. As long as this end is sending, its acknowledgements wait behind its data, and before it has
    /// sent all the peer may have nothing to say: what comes then shows nothing of the link. A link that is slower than
    /// thought makes pauses, too, but not of sixteen datagrams (of thirty-two for acknowledgements, which come for four).
    mutating func meter(arrived size: Int, at now: Duration) {
        guard output.isAcknowledged else { return crossed += 1 }
        downMeter.note(size + link.header, at: now, pause: link.receiveTime(link.payloadMax) * 16)
    }

    /// What the exchange showed of its link, added to what it moved.
    func measured(_ statistics: ExchangeStatistics) -> ExchangeStatistics {
        var statistics = statistics
        statistics.roundTrip = pace.leastRoundTrip
        statistics.datagramsSent = sent.nextNumber
        statistics.datagramsLost = max(counts.lost, 0)
        statistics.up = upMeter.flow(pacedAt: link.sendRate)
        statistics.down = downMeter.flow(pacedAt: link.receiveRate)
        return statistics
    }
}
