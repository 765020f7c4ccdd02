/// Builds the byte strings of docs/protocol.md, section 1: big-endian integers, `lp`, varints.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }
    mutating func append(_ more: [UInt8]) { bytes += more }
    mutating func append(_ text: some StringProtocol) { bytes += text.utf8 }
    mutating func append(_ secret: Secret) { secret.withBytes { bytes.append(contentsOf: $0) } }

    mutating func append<Integer: FixedWidthInteger & UnsignedInteger>(bigEndian value: Integer) {
        for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Unsigned LEB128, shortest form.
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// `u16(length) ‖ bytes`. The names that come here are checked types far below 65,536 bytes.
    mutating func append(lengthPrefixed text: some StringProtocol) {
        let utf8 = Array(text.utf8)
        append(bigEndian: UInt16(truncatingIfNeeded: utf8.count))
        bytes += utf8
    }
}

/// Reads what `ByteWriter` wrote; every step past the end is `malformed`.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - offset }
    var rest: [UInt8] { Array(bytes[offset...]) }

    mutating func byte() throws(CryptoError) -> UInt8 {
        guard remaining > 0 else { throw .malformed }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func take(_ count: Int) throws(CryptoError) -> [UInt8] {
        guard count >= 0, remaining >= count else { throw .malformed }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    mutating func secret(_ count: Int = 32) throws(CryptoError) -> Secret {
        var copy = try take(count)
        defer { copy.wipe() }
        return Secret(copy)
    }

    mutating func integer<Integer: FixedWidthInteger & UnsignedInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(CryptoError) -> Integer {
        try take(Integer.bitWidth / 8).reduce(0) { $0 << 8 | Integer($1) }
    }

    /// Unsigned LEB128; longer forms than needed and values past 64 bits are refused.
    mutating func varint() throws(CryptoError) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<10 {
            let next = try byte()
            let part = UInt64(next & 0x7F)
            guard index < 9 || part <= 1 else { throw .malformed }
            value |= part << (7 * UInt64(index))
            if next & 0x80 == 0 {
                guard index == 0 || part != 0 else { throw .malformed }
                return value
            }
        }
        throw .malformed
    }

    /// Nothing may follow what was read.
    func finish() throws(CryptoError) {
        guard remaining == 0 else { throw .malformed }
    }
}
