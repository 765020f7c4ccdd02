import GodwitLink
import GodwitProtocol
import GodwitSpool

/// What can be said of one of the links to a node.
struct PathOutlook: Sendable {
    var path: String
    var classes: Set<PriorityClass>
    var outlook: LinkOutlook
    var isByHand = false
}

/// Frames of one link that are not acknowledged.
struct PathLoad: Sendable, Hashable {
    var frames = 0
    /// Of the frames before sealing.
    var bytes = ByteCount.zero
    /// Milliseconds since the oldest was built; nil: there is none.
    var oldest: Int64?

    init() {}

    init(_ path: String, _ travelling: [FrameSummary]) {
        for frame in travelling where frame.path == path {
            frames += 1
            bytes += frame.size
            oldest = max(oldest ?? 0, frame.age)
        }
    }

    var object: JSONObject {
        [
            "frames": .integer(Int64(frames)), "bytes": .integer(Int64(bytes.bytes)),
            "oldest_age_ms": oldest.map { .integer($0) } ?? .null,
        ]
    }
}
