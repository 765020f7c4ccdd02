/// The logistic function and its inverse as integer tables, the same on every machine.
///
/// Probabilities are 16-bit fractions of 65,536. The *stretched* domain holds logits in steps of 1/256, from −11 to +11.
///
/// Never changes after init, so it is Sendable.
final class LogisticTables: @unchecked Sendable {
    /// The largest logit, 11.0.
    static let limit = 2815

    static let shared = LogisticTables()

    private let squashes: UnsafeMutablePointer<UInt16>
    private let stretches: UnsafeMutablePointer<Int16>

    /// Probability of each logit from −`limit` to `limit`; at index 0 stands that of −`limit`.
    var squash: UnsafePointer<UInt16> { UnsafePointer(squashes) }
    /// Logit of each probability of 12 bits.
    var stretch: UnsafePointer<Int16> { UnsafePointer(stretches) }

    private init() {
        let limit = Self.limit
        squashes = .allocate(capacity: 2 * limit + 1)
        stretches = .allocate(capacity: 4096)
        // exp(-i/256) with 62 fractional bits, by repeated multiplication.
        let one = UInt64(1) << 62
        let step = Self.exponentialStep()
        var power = one
        for i in 0...limit {
            let quotient = (one + power).dividingFullWidth((high: 1 << 14, low: 0)).quotient
            let probability = min(quotient, 65_535)
            squashes[limit + i] = UInt16(probability)
            squashes[limit - i] = UInt16(65_536 - max(probability, 32_768))
            let product = power.multipliedFullWidth(by: step)
            power = product.high << 2 | product.low >> 62
        }
        squashes[limit] = 32_768
        var logit = 0
        for p in 0..<4096 {
            let wanted = p * 16 + 8
            while logit < 2 * limit, Int(squashes[logit]) < wanted { logit += 1 }
            stretches[p] = Int16(logit - limit)
        }
    }

    deinit {
        squashes.deallocate()
        stretches.deallocate()
    }

    /// exp(-1/256) with 62 fractional bits, by its series.
    private static func exponentialStep() -> UInt64 {
        var term = UInt64(1) << 62
        var sum = term
        var k: UInt64 = 1
        while true {
            term /= 256 * k
            guard term > 0 else { return sum }
            if k % 2 == 1 { sum -= term } else { sum += term }
            k += 1
        }
    }
}

/// Base-two logarithm of a positive number in quarters, rounded down within a linear step: 1 → 0, 2 → 4, 3 → 6.
@inline(__always)
func quarterLog(_ value: Int) -> Int {
    let top = 63 &- value.leadingZeroBitCount
    let fraction = top >= 2 ? (value >> (top &- 2)) & 3 : (value << (2 &- top)) & 3
    return top &* 4 &+ fraction
}
