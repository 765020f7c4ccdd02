/// Counters of the text that is being coded: what followed the same bytes earlier in it, or in a text that it quotes.
///
/// A slot holds a probability (16 bits), the number of the text (12 bits) and how often it was asked (4 bits). A slot of
/// an earlier text counts as empty, so that nothing has to be cleared between texts.
struct OwnCounters {
    static let slots = 1 << 14
    static let timesMax = 12

    private let memory: UnsafeMutablePointer<UInt32>
    private let shares: UnsafeMutablePointer<Int>
    private var epoch: UInt32 = 0

    init() {
        memory = .allocate(capacity: Self.slots * PhraseContexts.ownCount)
        memory.initialize(repeating: 0, count: Self.slots * PhraseContexts.ownCount)
        shares = .allocate(capacity: 16)
        for times in 0..<16 { (shares + times).initialize(to: 131_072 / (2 * times + 3)) }
    }

    func deallocate() {
        memory.deallocate()
        shares.deallocate()
    }

    mutating func begin() {
        epoch &+= 1
        if epoch == 4096 {
            epoch = 1
            memory.update(repeating: 0, count: Self.slots * PhraseContexts.ownCount)
        }
    }

    /// The slot for a context's hash and the bits of the byte so far. Those of a half byte lie side by side.
    ///
    /// - Parameter partial: the bits so far, behind a one.
    @inline(__always)
    static func index(_ context: Int, hash: UInt32, partial: Int) -> Int {
        let isLater = partial > 15
        let mixed =
            (hash &+ (isLater ? UInt32(truncatingIfNeeded: partialTop(partial)) &* 0x9E37_79B1 : 0)) &* 0x85EB_CA6B
        let low = isLater ? 1 << (length(partial) &- 4) | partial & (1 << (length(partial) &- 4) &- 1) : partial
        return context &* slots &+ (Int(mixed >> 18) & ~15) &+ low
    }

    /// Bits that are known.
    @inline(__always)
    private static func length(_ partial: Int) -> Int { 63 &- partial.leadingZeroBitCount }

    /// The first half byte, behind a one.
    @inline(__always)
    private static func partialTop(_ partial: Int) -> Int { partial >> (length(partial) &- 4) }

    @inline(__always)
    func read(_ index: Int) -> (probability: Int, times: Int) {
        let slot = memory[index]
        guard (slot >> 4) & 0xFFF == epoch else { return (32_768, 0) }
        return (Int(slot >> 16), Int(slot & 15))
    }

    @inline(__always)
    func update(_ index: Int, bit: Int) {
        let (probability, times) = read(index)
        // The share of the way to go, of 65,536: 2 / (2 times + 3).
        let step = (((bit == 1 ? 65_535 : 0) &- probability) &* shares[times]) >> 16
        let moved = UInt32(truncatingIfNeeded: max(16, min(65_519, probability &+ step)))
        memory[index] = moved << 16 | epoch << 4 | UInt32(truncatingIfNeeded: min(times &+ 1, Self.timesMax))
    }
}
