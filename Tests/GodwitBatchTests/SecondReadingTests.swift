import GodwitCompression
import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Tests/Interop/frames.py, written from docs/protocol.md §8 without protobuf: what one writes the other reads (D-7, D-8).
@Suite("Frames in another implementation")
struct SecondReadingTests {
    /// Items as the script names them.
    private static func described(_ items: [BatchItem]) -> [JSONValue] {
        items.map { item in
            [
                "kind": .integer(Int64(item.kind.rawValue)), "body": .string(Base64.encode(item.body)),
                "created": .integer(item.created.milliseconds), "lifetime": .integer(item.lifetime),
                "age": .integer(item.age), "class": .integer(Int64(item.priority.rawValue)),
            ]
        }
    }

    private static func described(_ frame: Frame) -> JSONObject {
        [
            "floor": .integer(Int64(frame.floor)), "more": .bool(frame.hasMore),
            "acknowledgements": .array(
                frame.acknowledgements.map { one in
                    [
                        "incarnation": .integer(Int64(one.incarnation)), "digest": .string(Base64.encode(one.digest)),
                        "ranges": .array(
                            one.ranges.map { [.integer(Int64($0.lowerBound)), .integer(Int64($0.upperBound))] }),
                    ]
                }),
            "partials": .array(
                frame.partials.map { one in
                    [
                        "incarnation": .integer(Int64(one.incarnation)), "number": .integer(Int64(one.number)),
                        "count": .integer(Int64(one.count)), "digest": .string(Base64.encode(one.digest)),
                    ]
                }),
            "items": .array(described(frame.items)),
        ]
    }

    private static func frame(_ seed: UInt64) -> Frame {
        var talk = SampleTalk(seed: seed, authors: 1 + Int(seed % 7))
        let items = talk.mixture(1 + Int(seed) * 2)
        return Frame(
            floor: seed * 3,
            acknowledgements: seed % 2 == 0
                ? []
                : [
                    Acknowledgement(
                        incarnation: UInt32(seed) << 24 | 7, ranges: [1...3, 5...5, 9...400],
                        digest: talk.random.bytes(8))
                ],
            items: items, hasMore: seed % 3 == 0,
            partials: (0..<seed % 4).map { number in
                PartialFrame(
                    incarnation: UInt32(seed) << 20 | 9, number: number << 40 | 1, count: 64 + Int(seed) * 3_000,
                    digest: talk.random.bytes(8))
            })
    }

    @Test("frames of any mixture are read alike, with and without runs under one signature")
    func read() throws {
        var frames: [[UInt8]] = []
        for seed in 0..<20 as Range<UInt64> {
            for runs in [false, true] { frames.append(try FrameCodec.encode(Self.frame(seed), runs: runs)) }
        }
        let answers = try PythonScript.ask(
            "framewriter.py", frames.map { ["op": "decode", "frame": .string(Base64.encode($0))] })
        for (bytes, answer) in zip(frames, answers) {
            #expect(answer == Self.described(try FrameCodec.decode(bytes)))
        }
    }

    @Test("frames that go on from earlier ones are read alike")
    func goesOn() throws {
        var (requests, frames): ([JSONObject], [Frame]) = ([], [])
        for seed in 0..<12 as Range<UInt64> {
            var talk = SampleTalk(seed: seed + 900, authors: 2 + Int(seed % 5))
            var book = ContextBook()
            for number in 1...8 as ClosedRange<UInt64> {
                let items = talk.mixture(1 + talk.random.below(25))
                let packed = try FramePacker.pack(
                    Frame(items: items), limit: ByteCount(FrameLimits.frameMax), runs: seed % 2 == 0,
                    known: KnownChains(book, for: number))
                book.note(packed.contexts, of: number)
                requests.append([
                    "op": "decode", "frame": .string(Base64.encode(packed.bytes)), "sender": .integer(Int64(seed)),
                    "number": .integer(Int64(number)),
                ])
                frames.append(try FrameCodec.decode(FrameCodec.encode(Frame(items: items), runs: seed % 2 == 0)))
            }
        }
        let answers = try PythonScript.ask("framewriter.py", requests)
        for (index, (frame, answer)) in zip(frames, answers).enumerated() {
            #expect(answer["items"] == Self.described(frame)["items"], "frame \(index)")
        }
    }

    @Test("frames that the other one writes are read as what it was told to write")
    func written() throws {
        let sent = (0..<20 as Range<UInt64>).map { seed in
            var talk = SampleTalk(seed: seed + 500, authors: 1 + Int(seed % 5))
            return talk.mixture(1 + Int(seed) * 2)
        }
        let answers = try PythonScript.ask(
            "framewriter.py", sent.map { ["op": "encode", "items": .array(Self.described($0)), "floor": 5] })
        for (items, answer) in zip(sent, answers) {
            let bytes = try #require(answer["frame"]?.string.flatMap(Base64.decode), "\(answer.canonicalText)")
            #expect(try FrameCodec.decode(bytes) == Frame(floor: 5, items: items))
        }
    }

    /// Objects of all kinds among messages, and where the seed is odd one whose body has a line break.
    private static func lifted(_ seed: UInt64) -> [BatchItem] {
        var samples = LiftSamples(seed: seed + 300)
        var talk = SampleTalk(seed: seed + 300, authors: 2)
        let odd = seed % 2 == 0 ? [] : [LiftSamples.item("{\n\"a\":\"\(Base64.encode(talk.random.bytes(32)))\"}")]
        let strange = (0..<6).map { _ in LiftSamples.item(samples.confusion().body) }
        let keys = (0..<3).map { _ in LiftSamples.item(samples.epochKey()) }
        return (samples.all() + keys + talk.mixture(12) + odd + strange).shuffled(using: &talk.random)
    }

    @Test("lifted bodies are read alike")
    func readLifted() throws {
        let sent = (0..<12 as Range<UInt64>).map(Self.lifted)
        let frames = try sent.enumerated().map { seed, items in
            try FrameCodec.encode(Frame(items: items), runs: seed % 3 == 0)
        }
        let answers = try PythonScript.ask(
            "framewriter.py", frames.map { ["op": "decode", "frame": .string(Base64.encode($0))] })
        for (bytes, answer) in zip(frames, answers) {
            #expect(answer == Self.described(try FrameCodec.decode(bytes)))
        }
    }

    @Test("what the other one lifts, which is more, is read as what it was told to write", arguments: [true, false])
    func writtenLifted(lift: Bool) throws {
        let sent = (0..<12 as Range<UInt64>).map(Self.lifted)
        let answers = try PythonScript.ask(
            "framewriter.py",
            sent.map { ["op": "encode", "items": .array(Self.described($0)), "lift": .bool(lift)] })
        for (seed, (items, answer)) in zip(sent, answers).enumerated() {
            let bytes = try #require(answer["frame"]?.string.flatMap(Base64.decode), "\(answer.canonicalText)")
            #expect(try FrameCodec.decode(bytes) == Frame(items: items))
            let wire = try WireFrame(serializedBytes: bytes)
            let columns = try WireColumns(serializedBytes: WireBytes.array(wire.columns))
            #expect(columns.lifted == (lift && seed % 2 == 0 ? 1 : 0))
        }
    }

    @Test("what the other one says of beginnings is read alike")
    func partials() throws {
        let beginnings = (0..<8).map { [UInt8](repeating: UInt8($0), count: 64 + $0 * 500) }
        let answers = try PythonScript.ask(
            "framewriter.py",
            beginnings.enumerated().map { place, beginning in
                [
                    "op": "encode", "items": [],
                    "partials": [
                        [
                            "incarnation": .integer(Int64(place) << 28 | 1), "number": .integer(Int64(place) + 1),
                            "beginning": .string(Base64.encode(beginning)),
                        ]
                    ],
                ]
            })
        for (place, (beginning, answer)) in zip(beginnings, answers).enumerated() {
            let bytes = try #require(answer["frame"]?.string.flatMap(Base64.decode), "\(answer.canonicalText)")
            let partial = PartialFrame(
                incarnation: UInt32(place) << 28 | 1, number: UInt64(place) + 1, count: beginning.count,
                digest: PartialFrame.digest(of: beginning))
            #expect(try FrameCodec.decode(bytes) == Frame(partials: [partial]))
        }
    }

    @Test("what one of them refuses the other refuses: 1,200 frames with columns that a stranger changed")
    func refused() throws {
        var random = SplitMix(seed: 2_718)
        var frames: [[UInt8]] = []
        var samples: [(wire: WireFrame, columns: WireColumns)] = []
        for seed in 0..<8 as Range<UInt64> {
            let items = seed % 4 == 3 ? Self.lifted(seed - 1) : Self.frame(seed).items
            let bytes = try FrameCodec.encode(Frame(floor: seed, items: items), runs: seed % 2 == 0)
            let wire = try WireFrame(serializedBytes: bytes)
            let packed = WireBytes.array(wire.packedColumns)
            let columns = packed.isEmpty ? WireBytes.array(wire.columns) : try Primer.decompress(packed)
            samples.append((wire, try WireColumns(serializedBytes: columns)))
        }
        for round in 0..<1_200 {
            var (wire, columns) = samples[round % samples.count]
            for _ in 0...random.below(2) { Self.change(&columns, &random) }
            wire.packedColumns = WireBytes.make([])
            wire.columns = WireBytes.make(try columns.serializedBytes() as [UInt8])
            frames.append(try wire.serializedBytes())
        }
        let answers = try PythonScript.ask(
            "framewriter.py", frames.map { ["op": "decode", "frame": .string(Base64.encode($0))] })
        var read = 0
        for (index, (bytes, answer)) in zip(frames, answers).enumerated() {
            if let frame = try? FrameCodec.decode(bytes) {
                read += 1
                #expect(answer == Self.described(frame), "frame \(index)")
            } else {
                #expect(answer["refused"] != nil, "frame \(index)")
            }
        }
        #expect(read > 120 && read < 1_080, "\(read) of 1,200 were read")
    }

    /// One column gets another value, one more or one less.
    private static func change(_ columns: inout WireColumns, _ random: inout SplitMix) {
        func bend<Number: FixedWidthInteger>(_ column: inout [Number], _ random: inout SplitMix) {
            let value = random.below(3) == 0 ? Number(truncatingIfNeeded: random.next()) : Number(random.below(9))
            let place = random.below(column.count + 1)
            switch random.below(3) {
            case 0 where !column.isEmpty: column.remove(at: place % column.count)
            case 1 where !column.isEmpty: column[place % column.count] = value
            default: column.insert(value, at: place)
            }
        }
        let numbers: [WritableKeyPath<WireColumns, [UInt32]>] = [
            \.kinds, \.keyIDLengths, \.headerLengths, \.chains, \.lengths, \.bodyLengths, \.chainDevices,
            \.chainConversations, \.messageForms, \.messageKeys, \.linksGiven, \.saltsGiven, \.recipientsAt,
            \.priorities, \.covers, \.knownFrames, \.knownEntries, \.wrapCounts, \.wraps, \.wrapUsers, \.wrapHeaders,
        ]
        let signed: [WritableKeyPath<WireColumns, [Int64]>] = [
            \.times, \.ages, \.sequences, \.positions, \.wrapPositions,
        ]
        switch random.below(30) {
        case let index where index < numbers.count: bend(&columns[keyPath: numbers[index]], &random)
        case 21...22: bend(&columns[keyPath: signed[random.below(5)]], &random)
        case 23: bend(&columns.lifetimes, &random)
        case 24: columns.signatures = UInt32(random.below(3))
        case 25: columns.authors.append("a7f3k9m2.mallory")
        case 26: columns.lifted = UInt32(random.below(3))
        case 27:
            // Another marker, or a marker where there was none.
            var bodies = WireBytes.array(columns.bodies)
            guard !bodies.isEmpty else { return }
            let markers = bodies.indices.filter { bodies[$0] < LiftMarker.end }
            bodies[markers.randomElement(using: &random) ?? random.below(bodies.count)] = UInt8(random.below(33))
            columns.bodies = WireBytes.make(bodies)
        case 28: if !columns.forms.isEmpty { columns.forms[0].metadata = random.below(2) == 0 ? "[]" : "{\"a\":1}" }
        default: if !columns.conversations.isEmpty { columns.conversations[0].node = "." }
        }
    }
}
