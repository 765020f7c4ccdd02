/// Numbers that a seed determines (SplitMix64): everything that a simulation decides is drawn from one of these.
public struct SimulatedRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(_ seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A generator of its own for one part, so that what one part draws does not shift what others draw.
    public mutating func fork() -> SimulatedRandom { SimulatedRandom(next()) }

    public mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    /// A whole number of a closed range.
    public mutating func integer(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }

    /// Half to one and a half times the mean.
    public mutating func around(_ mean: Int64) -> Int64 { integer(mean / 2...max(mean / 2, mean * 3 / 2)) }
}
