import GodwitProtocol
import Testing

@testable import GodwitCompression

/// COMP-01, G-75.
@Suite("Brotli")
struct BrotliTests {
    static func sample(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SplitMix(seed: seed)
        return (0..<count).map { _ in UInt8(ascii: "a") + UInt8(truncatingIfNeeded: random.next() % 7) }
    }

    @Test("whatever goes in comes out", arguments: [0, 1, 2, 100, 65_536, 300_000], [0, 5, 9, 11])
    func roundTrip(count: Int, quality: Int) throws {
        let bytes = Self.sample(count, seed: UInt64(count) + 1)
        let packed = try Brotli.compress(bytes, quality: quality)
        #expect(try Brotli.decompress(packed, limit: count) == bytes)
    }

    @Test("a stream of another encoder is read (RFC 7932 §9.2: an empty last meta-block)")
    func foreignStream() throws {
        // WBITS 16 is one zero bit, then ISLAST and ISLASTEMPTY: 0b110.
        #expect(try Brotli.decompress([0x06], limit: 0) == [])
        // An uncompressed meta-block: WBITS 16, not last, MNIBBLES 4, MLEN − 1 = 2, uncompressed, then "abc", then the end.
        let bits: [UInt8] = [0x20, 0x00, 0x10]
        #expect(try Brotli.decompress(bits + Array("abc".utf8) + [0x03], limit: 3) == Array("abc".utf8))
    }

    @Test("the limit is exact", arguments: [1, 1000, 65_536])
    func limit(count: Int) throws {
        let packed = try Brotli.compress(Self.sample(count, seed: 3))
        #expect(try Brotli.decompress(packed, limit: count).count == count)
        let error = #expect(throws: ProtocolError.self) { try Brotli.decompress(packed, limit: count - 1) }
        #expect(error?.code == .messageTooLarge)
        #expect(error?.details["max_size"] == .integer(Int64(count)))
    }

    @Test("a bomb stops at the limit")
    func bomb() throws {
        let packed = try Brotli.compress([UInt8](repeating: 0, count: 50_000_000), quality: 5, window: 24)
        #expect(packed.count < 1000)
        #expect(throws: ProtocolError.self) { try Brotli.decompress(packed, limit: 1_048_576) }
    }

    @Test("a stream cut short, run on or spoiled is refused")
    func malformed() throws {
        let packed = try Brotli.compress(Self.sample(500, seed: 9))
        for count in 0..<packed.count {
            let error = #expect(throws: ProtocolError.self) {
                try Brotli.decompress(Array(packed[..<count]), limit: 500)
            }
            #expect(error?.code == .invalidMessageFormat)
        }
        #expect(throws: ProtocolError.self) { try Brotli.decompress(packed + [0], limit: 500) }
        #expect(throws: ProtocolError.self) { try Brotli.decompress([0xFF, 0xFF, 0xFF], limit: 500) }
    }

    @Test("parameters out of range are refused", arguments: [(-1, 16), (12, 16), (9, 9), (9, 25)])
    func parameters(quality: Int, window: Int) {
        #expect(throws: ProtocolError.self) { try Brotli.compress([1], quality: quality, window: window) }
    }

    @Test("20,000 spoiled streams neither crash nor exceed the limit")
    func mutants() throws {
        var random = SplitMix(seed: 7932)
        let primer = try #require(BrotliPrimer.phrases)
        let plain = try Brotli.compress(Self.sample(300, seed: 1))
        let primed = try #require(primer.compress(Array("We are at the base camp, over.".utf8)))
        for round in 0..<20_000 {
            var bytes = round % 2 == 0 ? plain : primed
            for _ in 0...Int(random.next() % 3) {
                bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
            }
            let output =
                round % 2 == 0
                ? try? Brotli.decompress(bytes, limit: 400) : try? primer.decompress(bytes, limit: 400)
            #expect((output?.count ?? 0) <= 400)
        }
    }
}

/// Sebastiano Vigna's SplitMix64: small, seeded, the same everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
