import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Every limit of a frame, at its edge (NET-13: what a stranger sends costs bounded memory).
@Suite("Limits of a frame")
struct FrameLimitTests {
    private func object(_ bytes: Int) -> BatchItem {
        BatchItem(
            kind: .object, body: [UInt8](repeating: UInt8(ascii: "a"), count: bytes),
            created: Timestamp(milliseconds: 0), priority: .control)
    }

    private func code(_ body: () throws -> Void) -> ErrorCode? {
        do { try body() } catch { return (error as? ProtocolError)?.code }
        return nil
    }

    /// A frame as a stranger might write it: no limit holds.
    private func foreign(_ change: (inout WireColumns) -> Void, opaque: [UInt8] = []) throws -> [UInt8] {
        var columns = WireColumns()
        change(&columns)
        var frame = WireFrame()
        frame.columns = WireBytes.make(try columns.serializedBytes() as [UInt8])
        frame.opaque = WireBytes.make(opaque)
        return try frame.serializedBytes()
    }

    @Test("1,024 items pass, 1,025 are refused on both ends")
    func items() throws {
        let most = Frame(items: [BatchItem](repeating: object(3), count: 1024))
        #expect(try FrameCodec.decode(FrameCodec.encode(most)) == most)
        let beyond = Frame(items: most.items + [object(3)])
        #expect(code { _ = try FrameCodec.encode(beyond) } == .messageTooLarge)
        let bytes = try foreign {
            $0.kinds = [2 | 1025 << 2]
            $0.bodyLengths = [UInt32](repeating: 1, count: 1025)
            $0.bodies = WireBytes.make([UInt8](repeating: 1, count: 1025))
        }
        #expect(code { _ = try FrameCodec.decode(bytes) } == .invalidMessageFormat)
    }

    @Test("an object has at most 131,072 bytes on both ends")
    func objects() throws {
        let most = Frame(items: [object(FrameLimits.objectMax)])
        #expect(try FrameCodec.decode(FrameCodec.encode(most)) == most)
        #expect(
            code { _ = try FrameCodec.encode(Frame(items: [object(FrameLimits.objectMax + 1)])) } == .messageTooLarge)
        #expect(throws: ProtocolError.self) {
            try FrameCodec.decode(packed(kind: 2, lengths: [FrameLimits.objectMax + 1]))
        }
        #expect(try FrameCodec.decode(packed(kind: 2, lengths: [FrameLimits.objectMax])).items.count == 1)
    }

    /// Verbatim bodies of these lengths, behind the primer.
    private func packed(kind: UInt32, lengths: [Int]) throws -> [UInt8] {
        var columns = WireColumns()
        columns.kinds = [kind | UInt32(lengths.count) << 2]
        columns.bodyLengths = lengths.map { UInt32($0) }
        columns.bodies = WireBytes.make([UInt8](repeating: 0x61, count: lengths.reduce(0, +)))
        var frame = WireFrame()
        frame.packedColumns = WireBytes.make(try #require(Primer.compress(columns.serializedBytes())))
        return try frame.serializedBytes()
    }

    @Test("a verbatim message has at most 98,303 bytes on both ends")
    func messages() throws {
        #expect(try FrameCodec.decode(packed(kind: 1, lengths: [FrameLimits.messageMax])).items.count == 1)
        #expect(throws: ProtocolError.self) {
            try FrameCodec.decode(packed(kind: 1, lengths: [FrameLimits.messageMax + 1]))
        }
        var item = object(FrameLimits.messageMax)
        item.kind = .message
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
        item.body.append(0x61)
        #expect(code { _ = try FrameCodec.encode(Frame(items: [item])) } == .messageTooLarge)
    }

    @Test("all bodies together have at most 1 MiB on both ends")
    func bodies() throws {
        let eighth = [Int](repeating: 131_072, count: 8)
        #expect(try FrameCodec.decode(packed(kind: 2, lengths: eighth)).items.count == 8)
        #expect(throws: ProtocolError.self) { try FrameCodec.decode(packed(kind: 2, lengths: eighth + [1])) }
        let most = Frame(items: eighth.map(object))
        #expect(try FrameCodec.decode(FrameCodec.encode(most)) == most)
        #expect(code { _ = try FrameCodec.encode(Frame(items: most.items + [object(1)])) } == .messageTooLarge)
    }

    @Test("a frame has at most 65,471 bytes on both ends")
    func frame() throws {
        var random = SplitMix(seed: 12)
        // Noise behind a byte that no varint column has: its frame is its length and a constant.
        func frame(_ count: Int) throws -> Frame {
            Frame(items: [
                BatchItem(
                    kind: .receipt, body: random.bytes(count), created: Timestamp(milliseconds: 0), priority: .control)
            ])
        }
        let overhead = try FrameCodec.encode(frame(60_000)).count - 60_000
        let most = try frame(FrameLimits.frameMax - overhead)
        let bytes = try FrameCodec.encode(most)
        #expect(bytes.count == FrameLimits.frameMax)
        #expect(try FrameCodec.decode(bytes) == most)
        #expect(throws: ProtocolError.self) { try FrameCodec.encode(frame(FrameLimits.frameMax - overhead + 1)) }
        #expect(code { _ = try FrameCodec.decode(bytes + [0]) } == .messageTooLarge)
    }

    @Test("an empty body is refused on both ends")
    func emptyBody() throws {
        #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(items: [object(0)])) }
        #expect(throws: ProtocolError.self) { try FrameCodec.decode(packed(kind: 2, lengths: [0])) }
    }

    @Test("columns that contradict each other are refused")
    func contradictions() throws {
        let wrong: [(inout WireColumns) -> Void] = [
            { $0.kinds = [0] },  // an empty run
            { $0.kinds = [0 | 1 << 2] },  // a message without anything
            { $0.bodies = WireBytes.make([1]) },  // a body of no item
            { $0.bodyLengths = [1] },
            { $0.times = [1] },
            { $0.authors = ["a7f3k9m2.alice"] },
            {
                $0.kinds = [2 | 1 << 2]
                $0.bodyLengths = [2]
                $0.bodies = WireBytes.make([1])
            },
            {
                $0.kinds = [2 | 1 << 2]
                $0.bodyLengths = [1]
                $0.bodies = WireBytes.make([1])
                $0.times = [Int64.max]
            },
            {
                $0.kinds = [2 | 1 << 2]
                $0.bodyLengths = [1]
                $0.bodies = WireBytes.make([1])
                $0.ages = [-1]
            },
            { $0.signatures = 2 },
            { $0.covers = [0, 1] },
            { $0.knownFrames = [0] },
            { $0.linksGiven = [0] },
        ]
        for (index, change) in wrong.enumerated() {
            let bytes = try foreign(change)
            #expect(code { _ = try FrameCodec.decode(bytes) } == .invalidMessageFormat, "case \(index)")
        }
    }

    @Test("20,000 spoiled frames neither crash nor exceed a limit; what is read can be written again", arguments: 0..<4)
    func mutants(part: Int) throws {
        var random = SplitMix(seed: 0xF00D + UInt64(part))
        var talk = SampleTalk(seed: 77 + UInt64(part), authors: 3)
        let frame = Frame(
            floor: 4,
            acknowledgements: [Acknowledgement(incarnation: 9, ranges: [4...90], digest: [1, 2, 3, 4, 5, 6, 7, 8])],
            items: talk.mixture(6))
        let packed = try FrameCodec.encode(frame)
        let plain = try Self.unpacked(packed)
        for round in 0..<5_000 {
            var bytes = round % 4 == 0 ? packed : plain
            for _ in 0...random.below(3) {
                switch random.below(4) {
                case 0: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[random.below(bytes.count)] ^= 1 << random.below(8)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: random.below(bytes.count))
                default: bytes.remove(at: random.below(bytes.count))
                }
            }
            guard let read = try? FrameCodec.decode(bytes) else { continue }
            #expect(read.items.count <= 1024)
            #expect(read.items.allSatisfy { !$0.body.isEmpty && $0.body.count <= FrameLimits.objectMax })
            let again = try FrameCodec.decode(FrameCodec.encode(read))
            #expect(again == read)
        }
    }

    /// The same frame with its columns in the clear, so that mutants reach the columns themselves.
    static func unpacked(_ bytes: [UInt8]) throws -> [UInt8] {
        var wire = try WireFrame(serializedBytes: bytes)
        guard !wire.packedColumns.isEmpty else { return bytes }
        wire.columns = WireBytes.make(try Primer.decompress(WireBytes.array(wire.packedColumns)))
        wire.packedColumns = WireBytes.make([])
        return try wire.serializedBytes()
    }
}
