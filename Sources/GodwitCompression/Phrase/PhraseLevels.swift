/// How often a byte followed, in steps that grow.
enum PhraseLevels {
    static let values: [UInt16] = [
        1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024,
    ]
    static let count = 20
    /// After the levels: the list ends, and how much of what followed is not in it: nothing, less than an eighth, less
    /// than a third, more.
    static let endCount = 4
    static let symbols = count + endCount
    /// Followers that a context may list.
    static let followersMax = 32

    /// The level nearest to `value` by ratio; nil below one half.
    static func level(of value: Double) -> Int? {
        guard value >= 0.5 else { return nil }
        var best = 0
        for index in values.indices {
            let (a, b) = (Double(values[best]), Double(values[index]))
            if max(value / b, b / value) < max(value / a, a / value) { best = index }
        }
        return best
    }

    static func residual(kept: Int, total: Int) -> Int {
        let missing = total - kept
        if missing * 32 <= total { return 0 }
        if missing * 8 < total { return 1 }
        return missing * 3 < total ? 2 : 3
    }
}
