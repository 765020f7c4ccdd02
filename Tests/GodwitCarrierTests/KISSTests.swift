import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

/// KISS framing (Chepponis and Karn, 1987, §2 and §4), docs/protocol.md §8.3.
@Suite struct KISSTests {
    private static func decode(_ bytes: [UInt8], max: Int = 4_096) -> [[UInt8]] {
        var decoder = KISS.Decoder(contentsMax: max)
        return decoder.feed(bytes)
    }

    @Test("the example of the KISS paper: TEST and a frame with both special bytes")
    func paper() {
        #expect(KISS.frame(Array("TEST".utf8)) == [0xC0, 0x00, 0x54, 0x45, 0x53, 0x54, 0xC0])
        #expect(KISS.frame([0xC0, 0xDB]) == [0xC0, 0x00, 0xDB, 0xDC, 0xDB, 0xDD, 0xC0])
    }

    @Test("every byte value comes through, alone, doubled and between others")
    func bytes() {
        for byte in UInt8.min ... .max {
            for contents in [[byte], [byte, byte], [0, byte, 0xC0, byte, 0xDB, byte]] {
                #expect(Self.decode(KISS.frame(contents)) == [contents])
            }
        }
        let all = Array(UInt8.min ... .max)
        #expect(KISS.frame(all).count == 256 + KISS.overhead + 2)
        #expect(KISS.frame(all).filter { $0 == KISS.mark }.count == 2)
    }

    @Test("a frame comes out whole however the bytes are cut, and not before its last mark")
    func cuts() {
        let contents: [UInt8] = [1, 0xC0, 2, 0xDB, 0xDC, 0xDD, 3]
        let bytes = KISS.frame(contents)
        for cut in 0...bytes.count {
            var decoder = KISS.Decoder(contentsMax: 16)
            let before = decoder.feed(bytes[..<cut])
            #expect(before == (cut == bytes.count ? [contents] : []))
            #expect(before + decoder.feed(bytes[cut...]) == [contents])
        }
        // Cut off for good, the next frame is not hurt.
        for cut in 0..<bytes.count {
            #expect(Self.decode(bytes[..<cut] + bytes).suffix(1) == [contents])
        }
    }

    @Test("two frames may share a mark; empty frames are nothing")
    func marks() {
        #expect(Self.decode([0xC0, 0xC0, 0x00, 0xC0, 0x00, 1, 0xC0, 0x00, 2, 0xC0, 0xC0]) == [[1], [2]])
    }

    @Test("other commands and ports, and wrong escapes, are left out; noise between frames harms none")
    func noise() {
        for command in UInt8(1) ... .max where command != KISS.mark {
            let escaped = command == KISS.escape ? [KISS.escape, KISS.escapedEscape] : [command]
            #expect(Self.decode([0xC0] + escaped + [1, 2, 0xC0] + KISS.frame([9])) == [[9]])
        }
        for byte in UInt8.min ... .max where ![KISS.escapedMark, KISS.escapedEscape].contains(byte) {
            #expect(Self.decode([0xC0, 0, 5, KISS.escape, byte, 6, 0xC0] + KISS.frame([9])).last == [9])
            #expect(!Self.decode([0xC0, 0, 5, KISS.escape, byte, 6, 0xC0]).contains { $0.first == 5 })
        }
        #expect(Self.decode([7, 7, 0xDB] + KISS.frame([1]) + [8, 0xDB, 8] + KISS.frame([2])) == [[1], [2]])
    }

    @Test("the largest frame is taken, one byte more is dropped, and memory stays bounded")
    func sizes() {
        for contents in [[UInt8](repeating: 0xC0, count: 100), [UInt8](repeating: 1, count: 100)] {
            #expect(Self.decode(KISS.frame(contents), max: 100) == [contents])
            #expect(Self.decode(KISS.frame(contents + [1]), max: 100) == [])
        }
        var decoder = KISS.Decoder(contentsMax: 100)
        #expect(decoder.feed([0xC0, 0x00] + [UInt8](repeating: 1, count: 1_000_000)) == [])
        #expect(decoder.feed([0xC0] + KISS.frame([4])) == [[4]])
    }

    @Test("20,000 random byte strings: nothing breaks, nothing is too long, and the next frame is found")
    func fuzz() {
        var random = SeededGenerator(seed: 11)
        let special: [UInt8] = [0xC0, 0xDB, 0xDC, 0xDD, 0x00]
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? special[Int.random(in: 0..<5, using: &random)] : UInt8.random(in: .min ... .max, using: &random)
            }
            let contents = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                UInt8.random(in: 0xB8...0xE0, using: &random)
            }
            var decoder = KISS.Decoder(contentsMax: 40)
            var frames: [[UInt8]] = []
            for byte in noise + KISS.frame(contents) { frames += decoder.feed([byte]) }
            guard frames.last == contents, frames.allSatisfy({ (1...40).contains($0.count) }) else {
                Issue.record("lost behind \(noise)")
                return
            }
        }
    }
}

@Suite struct SerialFrameTests {
    private static func pair(_ other: String = "b0000000") throws -> SerialPair {
        SerialPair(try NodeID("a7f3k9m2"), try NodeID(other))
    }

    @Test("CRC-32C: the check value, and the vectors of RFC 3720 appendix B.4")
    func checksum() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
        #expect(CRC32C.checksum((0..<32).map { UInt8(31 - $0) }) == 0x113F_DB5C)
        let parts = CRC32C.checksum(Array("56789".utf8), after: CRC32C.checksum(Array("1234".utf8)))
        #expect(parts == 0xE306_9283)
    }

    @Test("the worked example of docs/protocol.md §8.3")
    func example() throws {
        let datagram: [UInt8] = [0x42, 0x01, 0x02, 0x03, 0xC0, 0x00, 0x01]
        let pair = SerialPair(try NodeID("b7f3k9m2"), try NodeID("a7f3k9m2"))
        let bytes = SerialFrame.bytes(datagram, of: pair)
        #expect(Hex.encode(bytes) == "c00042010203dbdc000169d5da2fc0")
    }

    @Test("both ends have the same pair; a frame of another pair is none")
    func pairs() throws {
        let (one, other) = (try Self.pair(), try Self.pair("c0000000"))
        let turned = SerialPair(try NodeID("b0000000"), try NodeID("a7f3k9m2"))
        #expect(turned == one)
        var decoder = KISS.Decoder(contentsMax: 100)
        let contents = decoder.feed(SerialFrame.bytes([1, 2, 3], of: one))[0]
        #expect(SerialFrame.open(contents, of: [other, one])?.pair == one)
        #expect(SerialFrame.open(contents, of: [other, one])?.datagram == [1, 2, 3])
        #expect(SerialFrame.open(contents, of: [other]) == nil)
        #expect(SerialFrame.open(contents, of: []) == nil)
    }

    @Test("every flipped bit, every truncation and every pair of swapped bytes of a frame is found")
    func garbled() throws {
        let pair = try Self.pair()
        let contents = Array((0..<60).map { UInt8(truncatingIfNeeded: $0 &* 37) }) + [0xC0, 0xDB]
        let framed = contents + Datagram.bytes(SerialFrame.check(contents, of: pair))
        #expect(SerialFrame.open(framed, of: [pair])?.datagram == contents)
        for bit in 0..<framed.count * 8 {
            var bad = framed
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(SerialFrame.open(bad, of: [pair]) == nil)
        }
        for count in 0..<framed.count { #expect(SerialFrame.open(Array(framed.prefix(count)), of: [pair]) == nil) }
        for index in 1..<framed.count where framed[index] != framed[index - 1] {
            var bad = framed
            bad.swapAt(index, index - 1)
            #expect(SerialFrame.open(bad, of: [pair]) == nil)
        }
    }

    @Test("2,000 bent streams of five frames: whatever the cuts, only frames that were sent come out, in their order")
    func bent() throws {
        let pair = try Self.pair()
        var random = SeededGenerator(seed: 23)
        var read = 0
        for round in 0..<2_000 {
            let sent = (0..<5).map { index in
                [UInt8(index)]
                    + (0..<Int.random(in: 3...50, using: &random)).map { _ in
                        UInt8.random(in: 0xB0...0xE0, using: &random)
                    }
            }
            var stream = sent.flatMap { SerialFrame.bytes($0, of: pair) }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0..<stream.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: stream[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: stream.remove(at: place)
                case 2: stream.insert(.random(in: 0xBF...0xDE, using: &random), at: place)
                default: stream.removeSubrange(place..<min(stream.count, place + 20))
                }
            }
            var (whole, pieces) = (KISS.Decoder(contentsMax: 60), KISS.Decoder(contentsMax: 60))
            let frames = whole.feed(stream)
            var (parts, start) = ([[UInt8]](), 0)
            while start < stream.count {
                let end = min(stream.count, start + Int.random(in: 1...30, using: &random))
                parts += pieces.feed(stream[start..<end])
                start = end
            }
            #expect(parts == frames, "round \(round)")
            let got = frames.compactMap { SerialFrame.open($0, of: [pair])?.datagram }
            #expect(got == sent.filter(got.contains), "round \(round)")
            read += got.count
        }
        #expect(read > 6_000 && read < 10_000, "\(read) of 10,000 frames came through")
    }
}
