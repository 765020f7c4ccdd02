/// A number of bytes.
public struct ByteCount: RawRepresentable, Hashable, Comparable, AdditiveArithmetic, Sendable, CustomStringConvertible {
    public var bytes: Int
    public var rawValue: Int { bytes }

    public init(_ bytes: Int) { self.bytes = bytes }
    public init(rawValue: Int) { bytes = rawValue }
    public static func kibibytes(_ count: Int) -> Self { Self(count * 1024) }
    public static func mebibytes(_ count: Int) -> Self { Self(count * 1_048_576) }

    public static let zero = Self(0)
    public static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }
    public static func + (left: Self, right: Self) -> Self { Self(left.bytes + right.bytes) }
    public static func - (left: Self, right: Self) -> Self { Self(left.bytes - right.bytes) }

    /// `1,234 B`
    public var description: String { Self.grouped(bytes) + " B" }

    static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var out = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { out.append(",") }
            out.append(digit)
        }
        return out
    }
}

/// A rate on a link, in bits a second.
public struct BitRate: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var bitsPerSecond: Int

    public init(bitsPerSecond: Int) { self.bitsPerSecond = bitsPerSecond }
    public static func < (left: Self, right: Self) -> Bool { left.bitsPerSecond < right.bitsPerSecond }
    public var description: String { ByteCount.grouped(bitsPerSecond) + " bit/s" }
}

/// The eight classes of traffic (decision D-20), most urgent first.
public enum PriorityClass: Int, CaseIterable, Comparable, Sendable, Hashable {
    /// Control and acknowledgements.
    case control = 0
    /// Revocations and deletions.
    case revocation
    case directText
    case channelText
    case voice
    case document
    case image
    case bulk

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The name in profiles and tables.
    public var name: String {
        switch self {
        case .control: "control"
        case .revocation: "revocation"
        case .directText: "direct"
        case .channelText: "channel"
        case .voice: "voice"
        case .document: "document"
        case .image: "image"
        case .bulk: "bulk"
        }
    }
}
