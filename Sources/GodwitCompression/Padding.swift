public import GodwitProtocol

/// Padding of clear content before it is encrypted (D-9): the bytes, 0x80, then zeros (ISO/IEC 7816-4), so that lengths
/// tell less.
public enum Padding: Sendable, Hashable, CaseIterable {
    /// Up to the next multiple of 8: links of Tier 1, where bytes are dear.
    case steps
    /// Padmé: at most log log of the length leaks, at most 12% are added. From Tier 2 up.
    case padme

    /// Lengths are multiples of this.
    public static let step = 8
    /// The least length.
    public static let least = 16

    /// How long `count` bytes become.
    public func padded(_ count: Int) -> Int {
        let needed = count + 1
        let length =
            switch self {
            case .steps: needed
            case .padme: Self.padme(needed)
            }
        return max(Self.least, (length + Self.step - 1) / Self.step * Self.step)
    }

    public func pad(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [0x80] + [UInt8](repeating: 0, count: padded(bytes.count) - bytes.count - 1)
    }

    /// Takes the padding off, whichever rule made it.
    ///
    /// - Throws: `ProtocolError` 2000 unless the length is a multiple of 8 and at least 16 and the bytes end in 0x80 and
    ///   zeros.
    public static func remove(from bytes: [UInt8]) throws(ProtocolError) -> [UInt8] {
        guard bytes.count >= least, bytes.count % step == 0, let mark = bytes.lastIndex(where: { $0 != 0 }),
            bytes[mark] == 0x80
        else { throw .malformed("the content is not padded as it must be") }
        return Array(bytes[..<mark])
    }

    /// The Padmé length of Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
    /// PETS 2019, §4.
    private static func padme(_ length: Int) -> Int {
        guard length > 2 else { return length }
        let exponent = length.bitWidth - 1 - length.leadingZeroBitCount
        let bitsOfExponent = exponent.bitWidth - exponent.leadingZeroBitCount
        let mask = (1 << (exponent - bitsOfExponent)) - 1
        return (length + mask) & ~mask
    }
}
