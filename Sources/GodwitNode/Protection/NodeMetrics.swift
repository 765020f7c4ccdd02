import GodwitProtocol
import Metrics

/// What a node counts. Labels have few values, none of which names a user.
enum NodeMetrics {
    static func limited(_ limit: String) {
        Counter(label: "godwit_limited_total", dimensions: [("limit", limit)]).increment()
    }

    /// - Parameter result: `accepted`, or the name of the error.
    static func login(_ step: String, _ result: String) {
        Counter(label: "godwit_logins_total", dimensions: [("step", step), ("result", result)]).increment()
    }

    static func failed(_ code: ErrorCode, over way: String) {
        Counter(label: "godwit_errors_total", dimensions: [("code", code.name), ("way", way)]).increment()
    }

    /// A frame that no known key has sealed, or that is none.
    static func refusedFrame(_ code: ErrorCode) {
        Counter(label: "godwit_refused_frames_total", dimensions: [("code", code.name)]).increment()
    }

    static func frame(_ direction: String, bytes: Int) {
        Counter(label: "godwit_frames_total", dimensions: [("direction", direction)]).increment()
        Counter(label: "godwit_frame_bytes_total", dimensions: [("direction", direction)]).increment(by: bytes)
    }
}
