/// Arithmetic of the erasure code (docs/protocol.md §8.4): GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. A sum is an
/// exclusive or.
enum GaloisField {
    private static let modulus = 0x11D

    /// Powers of x twice over, and the exponent of each value but 0.
    private static let powers: (of: [UInt8], exponents: [Int]) = {
        var (powers, exponents) = ([UInt8](repeating: 0, count: 510), [Int](repeating: 0, count: 256))
        var value = 1
        for exponent in 0..<255 {
            powers[exponent] = UInt8(value)
            powers[exponent + 255] = UInt8(value)
            exponents[value] = exponent
            value <<= 1
            if value > 255 { value ^= modulus }
        }
        return (powers, exponents)
    }()

    /// Products: 256 rows of 256, 64 KiB.
    private static let products: [UInt8] = {
        var products = [UInt8](repeating: 0, count: 65_536)
        let (values, exponents) = powers
        for one in 1..<256 {
            for other in 1..<256 { products[one << 8 | other] = values[exponents[one] + exponents[other]] }
        }
        return products
    }()

    static func product(_ one: UInt8, _ other: UInt8) -> UInt8 { products[Int(one) << 8 | Int(other)] }

    /// - Precondition: `value` is not 0.
    static func inverse(_ value: UInt8) -> UInt8 {
        precondition(value != 0, "0 has no inverse")
        return powers.of[255 - powers.exponents[Int(value)]]
    }

    /// Adds the products of the source's bytes with `factor` to the target's; what one has more than the other stays
    /// out of it.
    static func add(_ source: [UInt8], times factor: UInt8, to target: inout [UInt8]) {
        guard factor != 0 else { return }
        let count = min(source.count, target.count)
        products.withUnsafeBufferPointer { table in
            let row = UnsafeBufferPointer(rebasing: table[(Int(factor) << 8)..<(Int(factor) + 1) << 8])
            source.withUnsafeBufferPointer { from in
                target.withUnsafeMutableBufferPointer { to in
                    for index in 0..<count { to[index] ^= row[Int(from[index])] }
                }
            }
        }
    }

    static func scale(_ target: inout [UInt8], by factor: UInt8) {
        for index in target.indices { target[index] = product(target[index], factor) }
    }
}
