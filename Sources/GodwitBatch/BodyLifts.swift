import GodwitProtocol

/// What can be lifted out of one body: keys, hashes, signatures and the like, which are base64 in its JSON.
///
/// Whatever is taken comes back as it was. What is no base64 at all, as a long word or a hash in hexadecimal, costs more
/// as raw bytes than as text; such things are told by their length and their letters.
struct BodyLifts: Sendable {
    struct Run: Sendable {
        /// Where its characters stand in the body, padding included.
        let place: Range<Int>
        /// What they say.
        let bytes: [UInt8]
    }

    /// Ascending.
    let runs: [Run]
    /// The body has a byte that would be taken for a marker: no JCS text does.
    let hasControls: Bool

    /// Bytes that a run says at the least: without padding, and with it.
    static let least = (plain: 16, padded: 8)

    init(_ body: [UInt8]) {
        var runs: [Run] = []
        var index = 0
        while index < body.count {
            guard body[index] == Self.quote || body[index] == Self.colon else {
                index += 1
                continue
            }
            index += 1
            if let run = Self.run(in: body, from: &index) { runs.append(run) }
        }
        self.runs = runs
        hasControls = body.contains { $0 < LiftMarker.end }
    }

    private static let quote = UInt8(ascii: "\"")
    private static let colon = UInt8(ascii: ":")
    private static let padding = UInt8(ascii: "=")

    /// The run that begins at `index`, which is moved behind its letters and digits.
    private static func run(in body: [UInt8], from index: inout Int) -> Run? {
        let start = index
        var (hasUpper, hasLower) = (false, false)
        scan: while index < body.count {
            switch body[index] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): hasUpper = true
            case UInt8(ascii: "a")...UInt8(ascii: "z"): hasLower = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"): break
            default: break scan
            }
            index += 1
        }
        let end = index + body[index...].prefix(2).prefix { $0 == padding }.count
        // A name has a colon behind it.
        guard hasUpper, hasLower, (end - start).isMultiple(of: 4), end < body.count, body[end] == quote,
            end + 1 == body.count || body[end + 1] != colon,
            let bytes = Base64.decode(String(decoding: body[start..<end], as: UTF8.self)),
            bytes.count >= (end == index ? least.plain : least.padded)
        else { return nil }
        return Run(place: start..<end, bytes: bytes)
    }
}

/// Which base64 of a frame's verbatim bodies is lifted.
///
/// What stands in a frame twice stays as it is: a compressor writes the second in two or three bytes.
struct FrameLifting {
    /// Lifted bytes that are worth the field and the marker.
    static let least = 16

    /// Something is lifted: `lifted` is 1.
    let isUsed: Bool
    /// What stands in the frame more than once.
    private let repeated: Set<[UInt8]>

    init(_ items: ArraySlice<PreparedItem>) {
        var (once, repeated): (Set<[UInt8]>, Set<[UInt8]>) = ([], [])
        for run in items.flatMap({ $0.lifts?.runs ?? [] }) where !once.insert(run.bytes).inserted {
            repeated.insert(run.bytes)
        }
        let count = once.subtracting(repeated).reduce(0) { $0 + $1.count }
        // Bytes that look like markers leave no room for markers.
        isUsed = count >= Self.least && !items.contains { $0.lifts?.hasControls ?? false }
        self.repeated = repeated
    }

    /// Appends the text of a verbatim body, and what is lifted out of it.
    func write(_ item: PreparedItem, text: inout [UInt8], opaque: inout [UInt8]) {
        let body = item.item.body
        guard isUsed, let lifts = item.lifts else {
            text += body
            return
        }
        var copied = 0
        for run in lifts.runs where !repeated.contains(run.bytes) {
            text += body[copied..<run.place.lowerBound] + LiftMarker.bytes(for: run.bytes.count)
            opaque += run.bytes
            copied = run.place.upperBound
        }
        text += body[copied...]
    }
}
