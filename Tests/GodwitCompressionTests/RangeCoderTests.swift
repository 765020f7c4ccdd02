import Testing

@testable import GodwitCompression

/// D-9.
@Suite("The range coder")
struct RangeCoderTests {
    /// Decisions with probabilities of all sizes, the extreme ones often.
    private func decisions(_ count: Int, seed: UInt64) -> [(bit: Bool, probability: UInt16)] {
        var random = SplitMix(seed: seed)
        return (0..<count).map { _ in
            let kind = random.next() % 4
            let probability: UInt16 =
                switch kind {
                case 0: 1
                case 1: 65_535
                default: UInt16(1 + random.next() % 65_535)
                }
            return (random.next() % 65_536 < UInt64(probability) || random.next() % 50 == 0, probability)
        }
    }

    @Test("every decision comes back, with the same measure of what was used", arguments: 0..<60)
    func roundTrip(seed: Int) throws {
        let decisions = decisions(seed * 17, seed: UInt64(seed))
        let first: ClosedRange<UInt8> = seed % 2 == 0 ? 0...255 : 16...239
        var encoder = RangeEncoder(first: first)
        var measures: [Int] = []
        for decision in decisions {
            encoder.encode(decision.bit, probability: decision.probability)
            measures.append(encoder.bits)
        }
        let bits = encoder.bits
        let bytes = encoder.finished()
        #expect(bytes.count <= (bits + 7) / 8)
        #expect(bytes.last != 0)
        if !bytes.isEmpty { #expect(first.contains(bytes[0])) }
        bytes.withUnsafeBufferPointer { input in
            guard var decoder = RangeDecoder(input, first: first.contains(0) ? first : 16...239) else {
                #expect(bytes.isEmpty)
                return
            }
            for (decision, measure) in zip(decisions, measures) {
                let bit = decoder.decode(probability: decision.probability)
                #expect(bit == decision.bit)
                #expect(decoder.bits == measure)
            }
        }
    }

    @Test("a hundred even decisions take 13 bytes, a thousand sure ones at most one")
    func size() {
        var even = RangeEncoder(first: 0...255)
        var sure = RangeEncoder(first: 0...255)
        for index in 0..<100 { even.encode(index % 3 == 0, probability: 32_768) }
        for _ in 0..<1000 { sure.encode(false, probability: 1) }
        #expect(even.bits == 100)
        #expect(even.finished().count <= 13)
        #expect(sure.bits == 1)
        #expect(sure.finished().count <= 1)
    }

    @Test("a first byte outside the range is no code")
    func firstByte() {
        for byte in [0, 15, 240, 255] as [UInt8] {
            [byte, 1, 2].withUnsafeBufferPointer { #expect(RangeDecoder($0, first: 16...239) == nil) }
        }
        [16, 0].withUnsafeBufferPointer { #expect(RangeDecoder($0, first: 16...239) != nil) }
        [239, 255, 255, 255, 255, 255, 255, 255].withUnsafeBufferPointer {
            #expect(RangeDecoder($0, first: 16...239) != nil)
        }
    }
}

@Suite("The logistic tables")
struct LogisticTableTests {
    @Test(
        "squash is the logistic function, to the last of 65,536 parts",
        arguments: [-2815, -1000, -256, -1, 0, 1, 77, 512, 2815])
    func squash(logit: Int) {
        // 1 / (1 + exp(-x/256)) by a series of its own, in floating point.
        let x = Double(abs(logit)) / 256
        var (term, sum) = (1.0, 1.0)
        for k in 1..<120 {
            term *= x / Double(k)
            sum += term
        }
        let above = 1 / (1 + 1 / sum)
        let wanted = (logit < 0 ? 1 - above : above) * 65_536
        #expect(abs(Double(LogisticTables.shared.squash[logit + LogisticTables.limit]) - wanted) <= 1)
    }

    @Test("squash grows, is symmetric, and never says never")
    func shape() {
        let squash = LogisticTables.shared.squash
        for index in 0..<2 * LogisticTables.limit { #expect(squash[index] <= squash[index + 1]) }
        for logit in 1...LogisticTables.limit {
            let (below, above) = (squash[LogisticTables.limit - logit], squash[LogisticTables.limit + logit])
            #expect(Int(below) + Int(above) == 65_536 || (below == 1 && above == 65_535))
            #expect(below >= 1)
        }
    }

    @Test("stretch undoes squash")
    func stretch() {
        let tables = LogisticTables.shared
        for p in 1..<4095 {
            let back = Int(tables.squash[Int(tables.stretch[p]) + LogisticTables.limit])
            #expect(abs(back - (p * 16 + 8)) <= 80)
        }
    }
}
