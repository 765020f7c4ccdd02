/// A context as the trainer found it.
struct FollowerEntry: Sendable {
    /// 40 bits.
    var hash: UInt64
    /// Bits of training text that it saves for each bit that it takes.
    var worth: Float
    /// The byte before, by which followers are ranked.
    var after: UInt8
    var residual: UInt8
    /// Where its followers begin in the list of all, likeliest first.
    var first: UInt32
    var count: UInt8
}

/// Contexts and their followers, level in the upper byte and symbol in the lower.
struct FollowerEntries: Sendable {
    var entries: [FollowerEntry] = []
    var followers: [UInt16] = []
}
