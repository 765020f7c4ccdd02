/// Numbers for what a context's followers say about one decision.
enum PhraseStates {
    /// Followers agree on zero, or on one; or they differ. Then the same for the decision whether the text ends.
    static let agreeing = 96
    static let half = 2 * agreeing + 200
    static let count = 2 * half
    /// Numbers for a counter of the text itself: how often it was asked before, and what it says.
    static let ownCount = 256
    /// Lengths of a match.
    static let matchCount = 16

    /// - Parameters:
    ///   - zeros, ones: weight of the followers that go each way; not both 0.
    ///   - residual: class of the followers left out, 0 to 3.
    @inline(__always)
    static func number(zeros: Int, ones: Int, residual: Int) -> Int {
        if zeros == 0 { return residual &* 24 &+ min(quarterLog(ones) >> 1, 23) }
        if ones == 0 { return agreeing &+ residual &* 24 &+ min(quarterLog(zeros) >> 1, 23) }
        let lead = max(-24, min(24, quarterLog(ones) &- quarterLog(zeros)))
        let total = zeros &+ ones
        let size = total < 6 ? 0 : total < 24 ? 1 : total < 96 ? 2 : 3
        return 2 &* agreeing &+ (size &* 2 &+ residual >> 1) &* 25 &+ (lead &+ 24) >> 1
    }

    /// - Parameter slot: see `OwnCounters`.
    @inline(__always)
    static func ownNumber(probability: Int, times: Int) -> Int { min(times, 7) &* 32 &+ probability >> 11 }
}
