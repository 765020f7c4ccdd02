import GodwitLink
import GodwitProtocol
import GodwitSpool

/// Something that keeps items from going, in words.
struct HoldReport: Sendable, Hashable {
    /// `halted`, `in_contact`, `window`, `budget`, `backoff`, `asked_to_wait`, `pause`, `batching`, `blocked`,
    /// `peer_calls`, `no_link`, `device_away`, `device_connected`, `fits_no_frame`, `unacknowledged`, `by_hand`,
    /// `tier`.
    var reason: String
    /// When it ends; nil: nobody knows, or not by itself.
    var until: Timestamp?
    /// What it is, and what can be done about it.
    var words: String

    var object: JSONObject {
        [
            "reason": .string(reason), "until": until.map { .string($0.description) } ?? .null,
            "words": .string(words),
        ]
    }

    init(_ reason: String, until: Timestamp? = nil, _ words: String) {
        self.reason = reason
        self.until = until
        self.words = words
    }

    /// - Parameters:
    ///   - clock: turns the machine's time into that of the wall.
    ///   - error: of the last contact that failed.
    init(_ hold: ContactMachine.Hold, error: ProtocolError?, _ clock: (Duration) -> Timestamp) {
        func at(_ time: Duration?) -> String { time.map { " until \(clock($0))" } ?? "" }
        let cause = error.map { ": " + $0.message } ?? "."
        switch hold {
        case .halted(let code):
            self.init(
                "halted",
                "The link has stopped (\(code.name))\(cause) "
                    + (error?.hint.map { $0 + " " } ?? "") + "Then add the peer again, or start the node again.")
        case .inContact(let since):
            self.init("in_contact", "A contact is under way since \(clock(since)).")
        case .window(let until):
            self.init(
                "window", until: until.map(clock),
                until == nil
                    ? "The contact plan of the link's profile never opens."
                    : "The contact window is closed\(at(until)).")
        case .budget(let until, let sparesUrgent):
            self.init(
                "budget", until: until.map(clock),
                "The link's budget is spent, or too small for what waits,\(at(until))"
                    + (sparesUrgent ? "; what is kept for urgent items is left." : "."))
        case .backoff(let until, let failures):
            let times = failures == 1 ? "The last contact failed" : "The last \(failures) contacts failed"
            self.init("backoff", until: clock(until), "\(times)\(cause) The next try is at \(clock(until)).")
        case .askedToWait(let until):
            self.init("asked_to_wait", until: clock(until), "The peer asked to be left alone\(at(until))\(cause)")
        case .pause(let until):
            self.init(
                "pause", until: clock(until), "The contacts before moved nothing; the next is at \(clock(until)).")
        case .batching(let until, let bytes):
            self.init(
                "batching", until: clock(until),
                bytes.map { "It waits until \($0.bytes) bytes are together, or\(at(until))." }
                    ?? "It waits for company in its frame\(at(until)).")
        }
    }
}

extension HoldReport {
    static let blocked = HoldReport(
        "blocked", "The peer is blocked here. `godwit peer add --trust trusted` with its descriptor lifts that.")
    static let noPeer = HoldReport(
        "no_link", "The node is no peer any more. `godwit peer add` with its descriptor makes it one.")
    static let notRunning = HoldReport("no_link", "The node does not run here: `godwit node run` starts its links.")
    static let peerCalls = HoldReport("peer_calls", "The peer calls this node: it goes when the peer does.")
    static let fitsNoFrame = HoldReport(
        "fits_no_frame", "It fits no frame. It stays until its lifetime ends, and its author is told then.")
    static let deviceAway = HoldReport(
        "device_away", "The device fetches it when it connects to this node or calls it.")
    static let deviceConnected = HoldReport(
        "device_connected", "The user is connected; the device has not taken it yet.")

    static let noWay = HoldReport(
        "no_link", "The peer has none of the ways that the link names. State the link anew with `godwit peer link add`."
    )

    static func byHand(_ path: String, to node: NodeID) -> HoldReport {
        HoldReport(
            "by_hand", "The link is carried by hand: `godwit spool export --to \(node.text) --path \(path) FILE`.")
    }

    /// In a frame that has been written for a stick.
    static func onItsWay(_ frame: FrameNumber, path: String) -> HoldReport {
        HoldReport(
            "unacknowledged",
            "Frame \(frame.number) holds it, which the link \(path) carries by hand, and is not acknowledged yet. "
                + "`godwit spool resend` sends it over another link as well.")
    }

    static func unacknowledged(_ frame: FrameNumber, sent: Timestamp?) -> HoldReport {
        let when = sent.map { "; the last contact began at \($0)" } ?? "; no contact since the node started"
        return HoldReport(
            "unacknowledged", "Frame \(frame.number) holds it and is not acknowledged yet\(when).")
    }
}
