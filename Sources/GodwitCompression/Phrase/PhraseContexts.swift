/// What stands before the next byte, as hashes that the tables are asked with.
struct PhraseContexts {
    /// Contexts that are looked up in the model: 1 to 7 bytes, then words.
    static let count = 12
    /// Those of 1 to 7 bytes.
    static let orders = 7
    /// The beginning of a word after the word before it.
    static let bigram = 8
    /// The beginning of a word.
    static let word = 7
    /// Contexts of the text itself: 1 to 4 bytes and the beginning of a word.
    static let ownCount = 5

    /// The last eight bytes, the latest lowest. Before a text stand line feeds.
    private(set) var last: UInt64 = 0x0A0A_0A0A_0A0A_0A0A
    private var word: UInt64 = 0
    private var before: UInt64 = 0
    private var beforeThat: UInt64 = 0
    private var words = 0

    var lastByte: Int { Int(last & 0xFF) }
    /// The last three bytes.
    var lastThree: UInt64 { last & 0xFF_FFFF }

    mutating func append(_ byte: UInt8) {
        last = last << 8 | UInt64(byte)
        if let letter = Self.letter(byte) {
            word = (word &+ UInt64(letter) &+ 1) &* 0x9E37_79B9_7F4A_7C15
            word ^= word >> 31
        } else if word != 0 {
            beforeThat = before
            before = word
            word = 0
            words &+= 1
        }
    }

    /// Letters in lower case, digits and whatever is not ASCII belong to words.
    @inline(__always)
    private static func letter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x61...0x7A, 0x30...0x39, 0x80...0xFF, 0x27: byte
        case 0x41...0x5A: byte | 0x20
        default: nil
        }
    }

    /// The hash of context `index`, 40 bits.
    @inline(__always)
    func hash(_ index: Int) -> UInt64 {
        switch index {
        case 0..<7: Self.mix(last & (1 << (8 &* UInt64(index &+ 1)) &- 1), index)
        case 7: Self.mix(word &+ (last & 0xFF), index)
        case 8: Self.mix((word &+ (last & 0xFF)) ^ (before &* 0xD6E8_FEB8_6659_FD93), index)
        case 9:
            Self.mix(
                (word &+ (last & 0xFF)) ^ (before &* 0xD6E8_FEB8_6659_FD93 &+ beforeThat) &* 0xA076_1D64_78BD_642F,
                index)
        case 10: Self.mix((word &+ (last & 0xFF)) ^ (beforeThat &* 0xE703_7ED1_A0B4_28DB), index)
        default: Self.mix((word &+ (last & 0xFFFF)) &* 31 &+ UInt64(min(words, 3)), index)
        }
    }

    /// The hash of context `index` of the text itself.
    @inline(__always)
    func ownHash(_ index: Int) -> UInt32 {
        let value =
            index < 4
            ? Self.mix(last & (1 << (8 &* UInt64(index &+ 1)) &- 1), index) : Self.mix(word &+ (last & 0xFF), 4)
        return UInt32(truncatingIfNeeded: value)
    }

    @inline(__always)
    private static func mix(_ value: UInt64, _ index: Int) -> UInt64 {
        var hash = (value ^ (UInt64(index &+ 1) &* 0x9FB2_1C65_1E98_DF25)) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
        hash = hash &* 0xBF58_476D_1CE4_E5B9
        hash ^= hash >> 32
        hash = hash &* 0x94D0_49BB_1331_11EB
        return hash >> 24
    }
}
