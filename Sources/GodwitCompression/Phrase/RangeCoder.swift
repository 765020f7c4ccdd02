/// Writes binary decisions as the digits of a number within a shrinking interval, with 56 bits of precision.
///
/// Bytes after the last that is written count as zeros, so the end costs no more than it must.
struct RangeEncoder {
    private(set) var bytes: [UInt8] = []
    private var low: UInt64
    private var range: UInt64

    /// - Parameter first: what the first byte may be.
    init(first: ClosedRange<UInt8>) {
        low = UInt64(first.lowerBound) << 48
        range = UInt64(first.count) << 48
    }

    /// Information written, in bits, rounded up; the reader's `bits` at the same place is the same.
    var bits: Int { bytes.count * 8 + range.leadingZeroBitCount - 7 }

    /// - Parameter probability: that `bit` is one, of 65,536; 1 to 65,535.
    mutating func encode(_ bit: Bool, probability: UInt16) {
        let bound = (range >> 16) &* UInt64(probability)
        if bit {
            range = bound
        } else {
            low &+= bound
            range &-= bound
        }
        while range < 1 << 48 { shift() }
    }

    private mutating func shift() {
        carry()
        bytes.append(UInt8(truncatingIfNeeded: low >> 48))
        low = (low & 0xFFFF_FFFF_FFFF) << 8
        range <<= 8
    }

    private mutating func carry() {
        guard low >> 56 != 0 else { return }
        low &= (1 << 56) - 1
        var index = bytes.count - 1
        while index >= 0 {
            bytes[index] &+= 1
            if bytes[index] != 0 { break }
            index -= 1
        }
    }

    /// The shortest bytes within the interval, without zeros at the end.
    consuming func finished() -> [UInt8] {
        var kept = 0
        while kept < 7 {
            let unit = UInt64(1) << UInt64(56 - 8 * kept)
            let value = (low &+ unit &- 1) & ~(unit &- 1)
            if value &- low < range {
                low = value
                break
            }
            kept += 1
        }
        carry()
        for index in 0..<kept { bytes.append(UInt8(truncatingIfNeeded: low >> UInt64(48 - 8 * index))) }
        while bytes.last == 0 { bytes.removeLast() }
        return bytes
    }
}

/// Reads what `RangeEncoder` wrote; any bytes are read as something.
struct RangeDecoder {
    private let input: UnsafeBufferPointer<UInt8>
    private var next = 7
    /// Bytes that left the interval.
    private var shifted = 0
    /// Distance of the number from the interval's lower end; always below `range`.
    private var code: UInt64
    private var range: UInt64

    /// Nil when the first byte is none of `first`.
    ///
    /// - Parameter input: stays where it is while this is used.
    init?(_ input: UnsafeBufferPointer<UInt8>, first: ClosedRange<UInt8>) {
        guard first.contains(input.first ?? 0) else { return nil }
        self.input = input
        var number: UInt64 = 0
        for index in 0..<7 { number = number << 8 | (index < input.count ? UInt64(input[index]) : 0) }
        code = number - UInt64(first.lowerBound) << 48
        range = UInt64(first.count) << 48
    }

    var bits: Int { shifted * 8 + range.leadingZeroBitCount - 7 }

    mutating func decode(probability: UInt16) -> Bool {
        let bound = (range >> 16) &* UInt64(probability)
        let bit = code < bound
        if bit {
            range = bound
        } else {
            code &-= bound
            range &-= bound
        }
        while range < 1 << 48 {
            code = code << 8 | (next < input.count ? UInt64(input[next]) : 0)
            next &+= 1
            shifted &+= 1
            range <<= 8
        }
        return bit
    }
}
