import GodwitBatch
public import GodwitProtocol

/// The records of one journey by hand.
public struct Parcel: Sendable, Hashable {
    /// The loose frame first.
    public var records: [[UInt8]]
    /// Bytes of the records with their lengths, as they stand in an exchange body.
    public var bytes: ByteCount
    /// Something waits or travels that did not fit.
    public var isLeft: Bool
}

extension FrameOutlet {
    /// Everything for a peer that fits into `most` bytes: acknowledgements, which go also if nothing else does, frames of
    /// this path that were never acknowledged, oldest first, then new ones.
    ///
    /// - Throws: `ProtocolError` 2000 if not even the acknowledgements fit.
    public func parcel(to peer: PeerKey, frame: ByteCount, runs: Bool, most: ByteCount) async throws -> Parcel {
        let greeting = try await loose(to: peer, hasMore: false)
        // More may be acknowledged by the time at which the frames are built.
        let reserved = Self.wire(greeting) + Self.greetingGrowth
        guard Self.wire(greeting) <= most.bytes else {
            throw ProtocolError.malformed(
                "Not even the acknowledgements fit into so few bytes.", member: "max_bytes",
                hint: "They take \(Self.wire(greeting)) bytes now, and the ends of a file 17.")
        }
        var left = most.bytes - reserved
        var (records, isLeft) = ([[UInt8]](), false)
        for record in try await unacknowledged(to: peer) {
            guard Self.wire(record) <= left else {
                isLeft = true
                continue
            }
            left -= Self.wire(record)
            records.append(record)
        }
        while true {
            let room = ByteCount(max(left - Self.lengthMax, 0))
            var limits = OutletLimits(
                frame: frame, exchange: most, runs: runs, most: room, mostForOthers: room)
            limits.isOrdered = false
            limits.ignoresTier = true
            guard let record = try await next(to: peer, limits) else { break }
            left -= Self.wire(record)
            records.append(record)
        }
        if try await hasWaiting(for: peer.party) { isLeft = true }
        let latest = try await loose(to: peer, hasMore: isLeft)
        records.insert(Self.wire(latest) <= reserved ? latest : greeting, at: 0)
        let bytes = records.reduce(0) { $0 + Self.wire($1) }
        return Parcel(records: records, bytes: ByteCount(bytes), isLeft: isLeft)
    }

    /// Bytes of a record's length, at most.
    private static var lengthMax: Int { 3 }
    private static var greetingGrowth: Int { 64 }

    private static func wire(_ record: [UInt8]) -> Int { Varint.bytes(UInt64(record.count)).count + record.count }
}
