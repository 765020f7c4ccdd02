import GodwitProtocol

/// Why a message is not there, or came late. There is always a reason: nothing is a hole without one.
public struct MessageHole: Sendable, Hashable {
    /// A `MessageRequest.Reason` or `HoleReason` as it stands in objects, or `unanswered`.
    public var reason: String

    init(_ reason: String) { self.reason = reason }

    /// It is asked for, and may still come.
    public var isAskedFor: Bool { MessageRequest.Reason(rawValue: reason) != nil }

    /// One sentence for people.
    public var explanation: String {
        if let reason = MessageRequest.Reason(rawValue: reason) { return "\(Self.words(reason)); asked the author." }
        return HoleReason(rawValue: reason).map(Self.words) ?? "Nobody has answered where it is."
    }

    /// Why a message was sealed again, as a part of a sentence.
    public var cause: String { MessageRequest.Reason(rawValue: reason).map(Self.words) ?? reason }

    private static func words(_ reason: MessageRequest.Reason) -> String {
        switch reason {
        case .missing: "it never came"
        case .unknownSession: "this device did not have its session"
        case .preKeyGone: "it used a pre-key that this device no longer has"
        case .keyGone: "its key was gone"
        case .noEntry: "it had no key for this device"
        case .noEpoch: "this device did not have its channel's keys"
        case .undecipherable: "it did not decrypt"
        }
    }

    private static func words(_ reason: HoleReason) -> String {
        switch reason {
        case .deleted: "It was taken back."
        case .expired: "The nodes on the way keep it no longer."
        case .erased: "Its author's account was erased."
        case .unkept: "Its author or reader keeps no history."
        case .deviceGone: "The author's device is gone, and nobody else has it."
        case .unreachable: "The author's node cannot be reached."
        case .notAllowed: "It is not for this device to read."
        case .gone: "The author's device no longer has it."
        case .tooOften: "The author's device has sealed it again as often as it does."
        case .refused: "A node refused it; it went to nobody."
        }
    }
}
