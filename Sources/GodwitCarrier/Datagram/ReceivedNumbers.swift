/// Numbers of the datagrams that have come, and what of them the peer was told.
struct ReceivedNumbers: Sendable {
    private(set) var largest = -1
    /// Bit i: `largest - i` has come.
    private var came: UInt64 = 0
    /// Bit i: of `largest - i` was told once, twice, three times.
    private var told: (UInt64, UInt64, UInt64) = (0, 0, 0)

    var isEmpty: Bool { largest < 0 }

    /// - Returns: false where it had come before, or is too old to say.
    mutating func insert(_ number: Int) -> Bool {
        if number > largest {
            let step = number - largest
            func shifted(_ map: UInt64) -> UInt64 { step < 64 && largest >= 0 ? map << UInt64(step) : 0 }
            came = shifted(came) | 1
            told = (shifted(told.0), shifted(told.1), shifted(told.2))
            largest = number
            return true
        }
        let below = largest - number
        guard below < 64 else { return false }
        let bit: UInt64 = 1 << UInt64(below)
        guard came & bit == 0 else { return false }
        came |= bit
        told = (told.0 & ~bit, told.1 & ~bit, told.2 & ~bit)
        return true
    }

    /// What to tell: every number three times, as two of three datagrams may be lost; all of them where the peer asks.
    /// - Parameter room: bytes it may take.
    func acknowledgement(whole: Bool, room: Int) -> Datagram.Acknowledgement? {
        guard largest >= 0 else { return nil }
        let most = min(largest, Datagram.Acknowledgement.depthMax)
        // Position 0 is `largest` itself.
        let open = ~told.2 & (~0 >> UInt64(63 - most))
        var depth = whole ? most : min(63 - min(open.leadingZeroBitCount, 63), most)
        while true {
            let mask: UInt64 = depth == 0 ? 0 : ~0 >> UInt64(64 - depth)
            let result = Datagram.Acknowledgement(largest: largest, depth: depth, missing: ~(came >> 1) & mask)
            if result.size <= room { return result }
            guard depth > 0 else { return nil }
            depth -= 1
        }
    }

    mutating func tell(_ acknowledgement: Datagram.Acknowledgement) {
        let mask: UInt64 = ~0 >> UInt64(63 - acknowledgement.depth)
        told.2 |= told.1 & mask
        told.1 |= told.0 & mask
        told.0 |= mask
    }
}
