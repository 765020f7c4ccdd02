import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Frames that go on from earlier ones (D-4, D-5, D-7: nothing travels that the receiver can compute).
@Suite("Contexts of chains")
struct ChainContextTests {
    /// Reads frames as a receiver does that keeps what each frame left behind.
    struct Reader {
        var kept: [UInt64: FrameContexts] = [:]

        mutating func read(_ bytes: [UInt8], number: UInt64) throws -> [BatchItem] {
            let opened = try FrameCodec.open(bytes, number: number)
            for reference in opened.references { #expect(kept[reference] != nil, "frame \(reference)") }
            let read = try opened.read(with: kept)
            // Through the form in which they are stored.
            if let stored = read.contexts.bytes { kept[number] = try FrameContexts(parsing: stored) }
            return read.items
        }
    }

    private static func pack(
        _ items: [BatchItem], _ book: ContextBook, _ number: UInt64, runs: Bool = false,
        except doubtful: Set<UInt64> = []
    ) throws -> FramePacker.Packed {
        let packed = try FramePacker.pack(
            Frame(items: items), limit: ByteCount(FrameLimits.frameMax), runs: runs,
            known: KnownChains(book, for: number, except: doubtful))
        #expect(packed.count == items.count)
        return packed
    }

    /// The frame with its columns in the clear.
    private static func unpacked(_ bytes: [UInt8]) throws -> [UInt8] {
        try WireFrame(serializedBytes: bytes).packedColumns.isEmpty ? bytes : FrameLimitTests.unpacked(bytes)
    }

    @Test("frames that go on from earlier ones bring every item bit for bit", arguments: UInt64(1)...30)
    func same(seed: UInt64) throws {
        var talk = SampleTalk(seed: seed, authors: 6)
        var (book, reader) = (ContextBook(), Reader())
        for number in UInt64(1)...14 {
            let items = talk.mixture(1 + talk.random.below(30))
            let packed = try Self.pack(items, book, number)
            let whole = try FrameCodec.encode(Frame(items: items))
            #expect(packed.bytes.count <= whole.count + 4, "what is known never costs much")
            let arrived = try reader.read(packed.bytes, number: number)
            #expect(arrived.map(\.body) == items.map(\.body))
            #expect(arrived == (try FrameCodec.decode(whole).items))
            book.note(packed.contexts, of: number)
        }
    }

    @Test("a known chain costs no author, device, conversation, key, salt or link")
    func cheaper() throws {
        var talk = SampleTalk(seed: 3, authors: 20)
        var book = ContextBook()
        let first = try Self.pack((0..<20).map { talk.item($0) }, book, 1, runs: true)
        book.note(first.contexts, of: 1)
        let items = (0..<20).map { talk.item($0) }
        let known = try Self.pack(items, book, 2, runs: true)
        let unknown = try FrameCodec.encode(Frame(items: items), runs: true)
        // 32 bytes of link, 5 of device and 4 of salt for each author alone, and the epoch once.
        #expect(unknown.count - known.bytes.count > 20 * 41 + 32)
        // A ciphertext of 64 bytes and a signature for each, and some ten bytes of time, length and reference.
        #expect(known.bytes.count < 20 * (64 + 64 + 12))
    }

    @Test("frames do not go on from those that may come later", arguments: UInt64(1)...20)
    func doubtful(seed: UInt64) throws {
        var talk = SampleTalk(seed: seed, authors: 4)
        var (book, reader) = (ContextBook(), Reader())
        var late: [(number: UInt64, bytes: [UInt8], items: [BatchItem])] = []
        for number in UInt64(1)...40 {
            let items = (0..<5).map { _ in talk.item(talk.random.below(4)) }
            let packed = try Self.pack(items, book, number, except: Set(late.map(\.number)))
            book.note(packed.contexts, of: number)
            if talk.random.below(3) == 0 {
                late.append((number, packed.bytes, items))
            } else {
                #expect(try reader.read(packed.bytes, number: number).map(\.body) == items.map(\.body))
            }
        }
        #expect(!late.isEmpty)
        for frame in late.reversed() {
            #expect(try reader.read(frame.bytes, number: frame.number).map(\.body) == frame.items.map(\.body))
        }
    }

    @Test("a frame goes on from one that is 128 numbers back, and from none before that")
    func reach() throws {
        for (number, isKnown) in [(UInt64(129), true), (130, false)] {
            var talk = SampleTalk(seed: 5, authors: 1)
            var book = ContextBook()
            book.note(try Self.pack([talk.item(0)], book, 1).contexts, of: 1)
            let packed = try Self.pack([talk.item(0)], book, number)
            #expect(try FrameCodec.open(packed.bytes, number: number).references == (isKnown ? [1] : []))
        }
    }

    @Test("references to what cannot be are refused: number 0, the future, too far back, no such chain")
    func refused() throws {
        var talk = SampleTalk(seed: 6, authors: 2)
        let first = try Self.pack([talk.item(0), talk.item(1)], ContextBook(), 1)
        var book = ContextBook()
        book.note(first.contexts, of: 1)
        let packed = try Self.pack([talk.item(0)], book, 2)
        let contexts = [UInt64(1): first.contexts]
        #expect(try FrameCodec.open(packed.bytes, number: 2).read(with: contexts).items.count == 1)
        for number in [UInt64(0), 1] {
            #expect(throws: ProtocolError.self) { try FrameCodec.open(packed.bytes, number: number) }
        }
        #expect(throws: ProtocolError.self, "not there") {
            try FrameCodec.open(packed.bytes, number: 2).read(with: [:])
        }
        func altered(back: UInt32, entry: UInt32) throws -> [UInt8] {
            var wire = try WireFrame(serializedBytes: Self.unpacked(packed.bytes))
            var columns = try WireColumns(serializedBytes: WireBytes.array(wire.columns))
            columns.knownFrames = [back]
            columns.knownEntries = [entry]
            wire.columns = WireBytes.make(try columns.serializedBytes())
            return try wire.serializedBytes()
        }
        #expect(throws: ProtocolError.self, "two chains stand in frame 1") {
            try FrameCodec.open(altered(back: 1, entry: 2), number: 2).read(with: contexts)
        }
        #expect(try FrameCodec.open(altered(back: 128, entry: 0), number: 129).references == [1])
        #expect(throws: ProtocolError.self) { try FrameCodec.open(altered(back: 129, entry: 0), number: 130) }
    }

    @Test("of a frame whose contexts have more than 65,536 bytes nothing is kept")
    func size() throws {
        func contexts(_ filler: Int) throws -> FrameContexts {
            var talk = SampleTalk(seed: 7, authors: 2)
            let objects = [30_000, filler].enumerated().map { author, count in
                talk.object(author, metadata: ["note": .string(String(repeating: "n", count: count))])
            }
            return try Self.pack(objects.map(SampleTalk.item), ContextBook(), 1).contexts
        }
        let most = try #require(try contexts(30_000).bytes).count
        let edge = 30_000 + FrameContexts.bytesMax - most
        #expect(try contexts(edge).bytes?.count == FrameContexts.bytesMax)
        #expect(try contexts(edge + 1).bytes == nil)
    }

    @Test("what was kept and is damaged is named so, and never read as something else")
    func damage() throws {
        var talk = SampleTalk(seed: 8, authors: 3)
        let contexts = try Self.pack((0..<3).map { talk.item($0) }, ContextBook(), 1).contexts
        let bytes = try #require(contexts.bytes)
        #expect(try FrameContexts(parsing: bytes) == contexts)
        for length in 0..<bytes.count {
            guard let read = try? FrameContexts(parsing: Array(bytes.prefix(length))) else { continue }
            #expect(contexts.chains.starts(with: read.chains), "whole contexts only, cut at \(length)")
        }
    }

    @Test("a frame that goes on from others is refused or reads as a frame, whatever is flipped or cut off")
    func hostile() throws {
        var talk = SampleTalk(seed: 9, authors: 3)
        let first = try Self.pack((0..<3).map { talk.item($0) }, ContextBook(), 1)
        var book = ContextBook()
        book.note(first.contexts, of: 1)
        let bytes = try Self.unpacked(
            Self.pack((0..<6).map { talk.item($0 % 3) }, book, 2, runs: true).bytes)
        var refused = 0
        for index in bytes.indices {
            for bit in 0..<8 {
                var copy = bytes
                copy[index] ^= 1 << UInt8(bit)
                let items = try? FrameCodec.open(copy, number: 2).read(with: [1: first.contexts]).items
                if items == nil { refused += 1 }
                #expect(items?.count ?? 0 <= FrameLimits.itemsMax)
            }
            let items = try? FrameCodec.open(Array(bytes.prefix(index)), number: 2).read(with: [1: first.contexts])
                .items
            #expect(items == nil || items?.isEmpty == true)
        }
        #expect(refused > 100)
    }
}
