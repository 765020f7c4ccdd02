/// Checks UTF-8 that arrives in pieces (RFC 3629): a wrong byte is found in the piece where it stands.
struct UTF8Checker: Hashable {
    /// Continuation bytes still missing.
    private var missing = 0
    /// Bounds of the next continuation byte; narrower after some lead bytes (overlong forms, surrogates, above U+10FFFF).
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// No character is half read.
    var isComplete: Bool { missing == 0 }

    /// False at the first byte that cannot be.
    mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
        for byte in bytes {
            guard missing == 0 ? begin(byte) : go(byte) else { return false }
        }
        return true
    }

    private mutating func go(_ byte: UInt8) -> Bool {
        guard (low...high).contains(byte) else { return false }
        (low, high) = (0x80, 0xBF)
        missing -= 1
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF:
            missing = 2
            if byte == 0xE0 { low = 0xA0 }
            if byte == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            missing = 3
            if byte == 0xF0 { low = 0x90 }
            if byte == 0xF4 { high = 0x8F }
        default: return false
        }
        return true
    }
}
