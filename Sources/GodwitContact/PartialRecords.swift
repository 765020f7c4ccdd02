import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// Beginnings of sealed frames whose exchanges broke, so that only the rest of them has to come (docs/protocol.md §8.1).
/// Only what follows an accepted record of the same exchange comes here, so strangers take up no room. In memory: after a
/// restart frames come whole.
struct PartialRecords: Sendable {
    /// Of one peer: one for each link that broke.
    static let recordsMax = 3
    /// Bytes of one peer: two of the largest frames.
    static let bytesMax = 2 * PartialFrame.counts.upperBound
    static let peersMax = 256
    /// Bytes of all peers; what is beyond takes the place of the peer that was heard least recently.
    static let totalMax = 4_194_304
    /// A beginning that its sender was told of so many times is of no use to it.
    static let tellingsMax = 32

    private struct Entry: Sendable {
        var header: FrameHeader
        var bytes: [UInt8]
        var tellings = 0
    }
    private struct Shelf: Sendable {
        /// The newest last.
        var entries: [Entry] = []
        var heard: UInt64 = 0

        var bytes: Int { entries.reduce(0) { $0 + $1.bytes.count } }

        mutating func remove(_ header: FrameHeader) { entries.removeAll { $0.header == header } }
    }

    private var shelves: [Party: Shelf] = [:]
    private var total = 0
    private var clock: UInt64 = 0

    /// Bytes of all peers.
    var bytes: Int { total }
    var peers: Int { shelves.count }

    /// Takes the beginning of a record, of a sealed frame or of a continuation of one that is here. What comes again for a
    /// frame replaces what was there, unless it is only less of the same.
    ///
    /// - Parameters:
    ///   - hint: of the peer's frames.
    ///   - incarnation: of the records that the exchange brought before.
    /// - Returns: the frame, where its beginning is kept now.
    mutating func keep(
        _ beginning: [UInt8], from peer: Party, hint: FrameHint, incarnation: UInt32
    ) -> FrameHeader? {
        guard let (header, bytes) = frame(beginning, from: peer), header.number > 0, header.hint == hint,
            header.incarnation == incarnation, PartialFrame.counts.contains(bytes.count)
        else { return nil }
        return change(peer) { shelf in
            var entry = Entry(header: header, bytes: bytes)
            if let known = shelf.entries.first(where: { $0.header == header }), known.bytes.starts(with: bytes) {
                entry = known
            }
            shelf.remove(header)
            shelf.entries.append(entry)
            while shelf.entries.count > Self.recordsMax || shelf.bytes > Self.bytesMax { shelf.entries.removeFirst() }
            return header
        }
    }

    private func frame(_ beginning: [UInt8], from peer: Party) -> (FrameHeader, [UInt8])? {
        if let header = try? FrameHeader(beginning: beginning) { return (header, beginning) }
        guard let continuation = try? FrameContinuation(beginning), let joined = joined(continuation, from: peer)
        else { return nil }
        return (continuation.header, joined)
    }

    /// The sealed frame that a continuation completes; nil: its beginning is not here.
    func joined(_ continuation: FrameContinuation, from peer: Party) -> [UInt8]? {
        shelves[peer]?.entries.first { $0.header == continuation.header }.flatMap { continuation.joined(to: $0.bytes) }
    }

    /// What the next loose frame to the peer says.
    ///
    /// - Parameter coming: a frame that is still coming in the same exchange, and is left out.
    mutating func told(to peer: Party, except coming: FrameHeader?) -> [PartialFrame] {
        guard shelves[peer] != nil else { return [] }
        return change(peer) { shelf in
            var told: [PartialFrame] = []
            // One that was named too often is not named any more; its rest may be on its way still.
            for index in shelf.entries.indices
            where shelf.entries[index].header != coming && shelf.entries[index].tellings < Self.tellingsMax {
                shelf.entries[index].tellings += 1
                let (header, bytes) = (shelf.entries[index].header, shelf.entries[index].bytes)
                told.append(
                    PartialFrame(
                        incarnation: header.incarnation, number: header.number, count: bytes.count,
                        digest: PartialFrame.digest(of: bytes)))
            }
            return told
        }
    }

    /// The frame was taken, or cannot be.
    mutating func drop(_ header: FrameHeader, from peer: Party) {
        guard shelves[peer] != nil else { return }
        change(peer) { $0.remove(header) }
    }

    /// A record was accepted: its sender sends nothing of other incarnations, or of numbers below the floor, any more.
    mutating func heard(_ header: FrameHeader, floor: UInt64, from peer: Party) {
        guard shelves[peer] != nil else { return }
        change(peer) { shelf in
            shelf.entries.removeAll { entry in
                entry.header.incarnation != header.incarnation || entry.header.number < floor
                    || entry.header == header
            }
        }
    }

    @discardableResult
    private mutating func change<Value>(_ peer: Party, _ body: (inout Shelf) -> Value) -> Value {
        var shelf = shelves[peer] ?? Shelf()
        total -= shelf.bytes
        let value = body(&shelf)
        clock += 1
        shelf.heard = clock
        total += shelf.bytes
        shelves[peer] = shelf.entries.isEmpty ? nil : shelf
        while total > Self.totalMax || shelves.count > Self.peersMax {
            guard let oldest = shelves.min(by: { $0.value.heard < $1.value.heard }) else { break }
            total -= oldest.value.bytes
            shelves[oldest.key] = nil
        }
        return value
    }
}
