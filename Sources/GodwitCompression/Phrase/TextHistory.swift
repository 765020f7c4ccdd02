/// The bytes of a text so far, after those that it quotes, and the latest place where the last three stood before.
struct TextHistory {
    /// Bytes of a quoted text that count: its last ones.
    static let quotedMax = 4096
    static let capacity = 65_536 + quotedMax + 16
    private static let slots = 1 << 12

    private let bytes: UnsafeMutablePointer<UInt8>
    /// Place after the last three bytes that have this hash, with the number of the text above it.
    private let places: UnsafeMutablePointer<UInt64>
    private var epoch: UInt64 = 0
    private(set) var count = 0
    private var place = 0
    /// Bytes that agree before the place, at most 15; 0: there is no match.
    private(set) var length = 0

    init() {
        bytes = .allocate(capacity: Self.capacity)
        bytes.initialize(repeating: 0, count: Self.capacity)
        places = .allocate(capacity: Self.slots)
        places.initialize(repeating: 0, count: Self.slots)
    }

    func deallocate() {
        bytes.deallocate()
        places.deallocate()
    }

    mutating func begin() {
        epoch &+= 1
        count = 0
        place = 0
        length = 0
    }

    /// The byte that the match expects; read it only while `length` is positive.
    var expected: Int { Int(bytes[place]) }

    @inline(__always)
    func byte(_ index: Int) -> UInt8 { bytes[index] }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        guard count < Self.capacity else { return }
        bytes[count] = byte
        count &+= 1
        if length > 0, bytes[place] == byte {
            place &+= 1
            length = min(length &+ 1, PhraseStates.matchCount &- 1)
        } else {
            length = 0
        }
        guard count >= 3 else { return }
        let three = UInt32(bytes[count &- 1]) | UInt32(bytes[count &- 2]) << 8 | UInt32(bytes[count &- 3]) << 16
        let slot = Int((three &* 0x9E37_79B1) >> 20)
        if length == 0, places[slot] >> 32 == epoch { look(at: Int(truncatingIfNeeded: places[slot] & 0xFFFF_FFFF)) }
        places[slot] = epoch << 32 | UInt64(truncatingIfNeeded: count)
    }

    private mutating func look(at candidate: Int) {
        var agreeing = 0
        while agreeing < min(candidate, PhraseStates.matchCount &- 1),
            bytes[candidate &- 1 &- agreeing] == bytes[count &- 1 &- agreeing]
        {
            agreeing &+= 1
        }
        guard agreeing >= 3 else { return }
        place = candidate
        length = agreeing
    }
}
