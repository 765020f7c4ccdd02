import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// What a known peer may seal and nobody wrote (issue 3: property and fuzz tests of frame and column decoders). A decoder
/// ends within its limits: with a refusal, or with what can be written and read again.
@Suite("Frames and bodies that nobody wrote")
struct FrameFuzzTests {
    private static func frame(_ seed: UInt64, items: Int) -> Frame {
        var talk = SampleTalk(seed: seed, authors: 3)
        return Frame(
            floor: 4,
            acknowledgements: [Acknowledgement(incarnation: 9, ranges: [4...90], digest: talk.random.bytes(8))],
            items: talk.mixture(items))
    }

    /// - Returns: whether the bytes were read.
    @discardableResult
    private static func check(
        _ bytes: [UInt8], isWrittenAgain: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Bool {
        let read: Frame
        do throws(ProtocolError) { read = try FrameCodec.decode(bytes) } catch {
            #expect([.invalidMessageFormat, .messageTooLarge].contains(error.code), sourceLocation: sourceLocation)
            return false
        }
        let total = read.items.reduce(0) { $0 + $1.body.count }
        #expect(read.items.count <= FrameLimits.itemsMax && total <= FrameLimits.bodiesMax + read.items.count * 3_000)
        #expect(read.items.allSatisfy { !$0.body.isEmpty }, sourceLocation: sourceLocation)
        #expect(read.acknowledgements.allSatisfy { $0.ranges.count <= FrameLimits.rangesMax })
        guard isWrittenAgain else { return true }
        // An item that a cover proves comes with it; what is written of it needs no signature of its own.
        let again = try FrameCodec.decode(FrameCodec.encode(read, runs: true))
        #expect(again.items.map(\.created) == read.items.map(\.created), sourceLocation: sourceLocation)
        #expect(again.floor == read.floor && again.hasMore == read.hasMore, sourceLocation: sourceLocation)
        return true
    }

    @Test("every beginning of a frame and every flipped bit in it, packed and in the clear, with and without runs")
    func everyBit() throws {
        for runs in [false, true] {
            let packed = try FrameCodec.encode(Self.frame(3, items: 2), runs: runs)
            for bytes in [packed, try FrameLimitTests.unpacked(packed)] {
                for count in 0..<bytes.count { #expect(try !Self.check(Array(bytes[..<count])) || count < 30) }
                for bit in 0..<bytes.count * 8 {
                    var bent = bytes
                    bent[bit / 8] ^= 1 << UInt8(bit % 8)
                    try Self.check(bent, isWrittenAgain: bit % 64 == 0)
                }
                #expect(try Self.check(bytes))
            }
        }
    }

    @Test("the columns of one frame with what belongs to another", arguments: 0..<4 as Range<UInt64>)
    func spliced(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var wires: [WireFrame] = []
        for index in 0..<12 as Range<UInt64> {
            let bytes = try FrameCodec.encode(Self.frame(seed * 100 + index, items: 5), runs: index % 2 == 0)
            wires.append(try WireFrame(serializedBytes: FrameLimitTests.unpacked(bytes)))
        }
        for _ in 0..<30 {
            var (one, other) = (wires[random.below(12)], wires[random.below(12)])
            var (into, from) = (
                try WireColumns(serializedBytes: WireBytes.array(one.columns)),
                try WireColumns(serializedBytes: WireBytes.array(other.columns))
            )
            switch random.below(6) {
            case 0: one.opaque = other.opaque
            case 1: into.forms = from.forms
            case 2: (into.chains, into.chainDevices) = (from.chains, from.chainDevices)
            case 3: (into.covers, into.signatures) = (from.covers, from.signatures)
            case 4: swap(&into.lengths, &from.lengths)
            default: (into.kinds, into.bodies, into.bodyLengths) = (from.kinds, from.bodies, from.bodyLengths)
            }
            one.columns = WireBytes.make(try into.serializedBytes() as [UInt8])
            other.columns = WireBytes.make(try from.serializedBytes() as [UInt8])
            for wire in [one, other] { try Self.check(try wire.serializedBytes()) }
        }
    }

    @Test("random bytes of every length up to 300, alone and as columns of a frame")
    func noise() throws {
        var random = SplitMix(seed: 31)
        for count in 0...300 {
            let bytes = random.bytes(count)
            try Self.check(bytes)
            var wire = WireFrame()
            wire.columns = WireBytes.make(bytes)
            try Self.check(try wire.serializedBytes())
            wire.columns = WireBytes.make([])
            wire.packedColumns = WireBytes.make(bytes)
            wire.opaque = WireBytes.make(random.bytes(20))
            try Self.check(try wire.serializedBytes())
        }
    }

    @Test("2,000 spoiled bodies of exchanges: whole records come out, the same however the body is cut")
    func bodies() throws {
        var random = SplitMix(seed: 8)
        for _ in 0..<2_000 {
            var body = (0..<1 + random.below(4)).flatMap { _ in
                ExchangeWriter.frame(random.bytes(1 + random.below(200)))
            }
            for _ in 0...random.below(2) { body[random.below(body.count)] = UInt8(truncatingIfNeeded: random.next()) }
            let cut = random.below(body.count + 1)
            var (whole, pieces) = (ExchangeReader(), ExchangeReader())
            let all = try? whole.feed(body)
            let first = try? pieces.feed(body[..<cut])
            let second = try? pieces.feed(body[cut...])
            if let all {
                #expect(first.map { $0 + (second ?? []) } == all)
                #expect(all.allSatisfy { (1...Exchange.recordMax).contains($0.count) })
                #expect(body.starts(with: all.flatMap(ExchangeWriter.frame)))
            } else {
                #expect(first == nil || second == nil)
                #expect(throws: ProtocolError.self) { try whole.feed([1, 1]) }
            }
        }
    }
}
