/// `PhraseWeights` where they can be read fast.
///
/// Only the trainer changes it, before anybody else has it; so it is Sendable.
final class TrainedValues: @unchecked Sendable {
    let states: UnsafeMutablePointer<Int16>
    let own: UnsafeMutablePointer<Int16>
    let match: UnsafeMutablePointer<Int16>
    /// With 20 fractional bits.
    let mixers: UnsafeMutablePointer<Int32>
    /// With 16 fractional bits.
    let finals: UnsafeMutablePointer<Int32>
    let rate: Int

    init(_ weights: PhraseWeights) {
        states = Self.copy(weights.states) { $0 }
        own = Self.copy(weights.own) { $0 }
        match = Self.copy(weights.match) { $0 }
        mixers = Self.copy(weights.mixers) { Int32($0) << 8 }
        finals = Self.copy(weights.finals) { Int32($0) << 4 }
        rate = weights.rate
    }

    deinit {
        states.deallocate()
        own.deallocate()
        match.deallocate()
        mixers.deallocate()
        finals.deallocate()
    }

    private static func copy<Value>(
        _ values: [Int16], _ widen: (Int16) -> Value
    ) -> UnsafeMutablePointer<Value> {
        let memory = UnsafeMutablePointer<Value>.allocate(capacity: values.count)
        for index in values.indices { (memory + index).initialize(to: widen(values[index])) }
        return memory
    }
}
