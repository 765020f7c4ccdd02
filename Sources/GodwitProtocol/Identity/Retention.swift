/// For how long a node keeps messages for their conversation's history (004 §4.1, SEC-11): `90d`, `12h`, or `none`.
public struct Retention: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 0: nothing is kept beyond its delivery.
    public let milliseconds: Int64

    public static let none = Retention(milliseconds: 0)
    /// Of a node that says nothing else.
    public static let usual = Retention(days: 365)
    /// Of a minimal account (gap G-36).
    public static let minimal = Retention(days: 7)
    /// For what is written to a user who has moved away, unless the node says otherwise (gap G-34).
    public static let moved = Retention(days: 90)
    static let daysMax: Int64 = 3_650

    private init(milliseconds: Int64) { self.milliseconds = milliseconds }
    private init(days: Int64) { milliseconds = days * 86_400_000 }

    /// - Parameter text: 1 to 3,650 days (`d`) or 1 to 87,600 hours (`h`), or `none`.
    /// - Throws: `ProtocolError` 2000.
    public init(_ text: String) throws(ProtocolError) {
        guard text != "none" else {
            milliseconds = 0
            return
        }
        let hours: Int64? =
            switch text.last {
            case "d": 24
            case "h": 1
            default: nil
            }
        let digits = text.dropLast()
        guard let hours, digits.utf8.count <= 5, digits.utf8.allSatisfy({ $0.isDigit }), let count = Int64(digits),
            (1...Self.daysMax * 24).contains(count * hours)
        else {
            throw .malformed(
                "A retention is a number of days or hours, or none.", member: "message_retention",
                hint: "Examples: 90d, 12h; at most 3650d.")
        }
        milliseconds = count * hours * 3_600_000
    }

    public var description: String {
        if milliseconds == 0 { return "none" }
        return milliseconds.isMultiple(of: 86_400_000)
            ? "\(milliseconds / 86_400_000)d" : "\(milliseconds / 3_600_000)h"
    }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
}
