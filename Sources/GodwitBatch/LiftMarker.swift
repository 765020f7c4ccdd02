import GodwitProtocol

/// What stands in the text of a body where base64 was lifted out of it: a byte below 0x20, which no JCS text has, that
/// says how many bytes of `opaque` belong there.
enum LiftMarker {
    /// Counts of bytes with a marker of their own: 0x01 is that of the first. Ids and cuts of hashes, nonces, keys and
    /// hashes, headers, ciphertexts, signatures, wrapped secrets, and of ML-KEM-768 ciphertext and key.
    static let counts = [10, 12, 16, 20, 24, 30, 32, 37, 40, 48, 56, 64, 72, 80, 96, 128, 1088, 1184]
    /// The count follows as a varint.
    static let other: UInt8 = 0x1F
    /// Every byte below is a marker, or refused.
    static let end: UInt8 = 0x20

    /// - Precondition: `count` is at least 1.
    static func bytes(for count: Int) -> [UInt8] {
        precondition(count > 0, "nothing is lifted")
        guard let place = counts.firstIndex(of: count) else { return [other] + Varint.bytes(UInt64(count)) }
        return [UInt8(place + 1)]
    }

    /// The marker at the front of `text`, whose first byte is below 0x20.
    ///
    /// - Returns: the count that it says, from 1 to the bytes of a frame, and its own length in bytes.
    /// - Throws: `ProtocolError` 2000 for a byte that is no marker, and a count that is cut off, not in its shortest form
    ///   or out of that range.
    static func read(_ text: ArraySlice<UInt8>) throws(ProtocolError) -> (count: Int, length: Int) {
        let marker = Int(text.first ?? 0)
        if (1...counts.count).contains(marker) { return (counts[marker - 1], 1) }
        guard marker == Int(other), let (value, length) = try Varint.read(text.dropFirst()),
            (1...UInt64(FrameLimits.frameMax)).contains(value)
        else { throw .malformed("a body of the frame has a byte that marks nothing") }
        return (Int(value), 1 + length)
    }
}

/// The text of a body as it stands in `bodies` of a frame with `lifted` 1. It comes from a stranger.
struct MarkedBody {
    private let text: [UInt8]
    /// The markers, ascending, and how many bytes of `opaque` each stands for.
    private let markers: [(place: Range<Int>, lifted: Int)]
    /// Bytes of the body once they are put back.
    let count: Int
    /// Bytes of `opaque` that belong to it.
    let liftedCount: Int

    /// - Throws: `ProtocolError` 2000 for what is no marker.
    init(_ text: [UInt8]) throws(ProtocolError) {
        var markers: [(place: Range<Int>, lifted: Int)] = []
        var (count, lifted, index) = (text.count, 0, 0)
        while index < text.count {
            guard text[index] < LiftMarker.end else {
                index += 1
                continue
            }
            let marker = try LiftMarker.read(text[index...])
            markers.append((index..<index + marker.length, marker.count))
            count += Self.encodedCount(marker.count) - marker.length
            lifted += marker.count
            // A frame has no more, so there is no more to remember than it can hold.
            guard lifted <= FrameLimits.frameMax else { throw .malformed("the frame ends within an item") }
            index += marker.length
        }
        (self.text, self.markers, self.count, liftedCount) = (text, markers, count, lifted)
    }

    /// Characters of padded base64.
    private static func encodedCount(_ bytes: Int) -> Int { (bytes + 2) / 3 * 4 }

    /// - Parameter lifted: `liftedCount` bytes.
    /// - Returns: `count` bytes.
    func body(with lifted: [UInt8]) -> [UInt8] {
        guard !markers.isEmpty else { return text }
        var body: [UInt8] = []
        body.reserveCapacity(count)
        var (copied, taken) = (0, 0)
        for marker in markers {
            body += text[copied..<marker.place.lowerBound]
            body += Base64.encode(Array(lifted[taken..<taken + marker.lifted])).utf8
            copied = marker.place.upperBound
            taken += marker.lifted
        }
        return body + text[copied...]
    }
}
