import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Keys of bodies for several devices in columns (D-7, D-13).
@Suite("Recipients in columns")
struct WrapColumnTests {
    /// Direct messages of one author, each for two devices of the reader and one of the author.
    private static func items(_ count: Int, salted: Bool = true, seed: UInt64 = 3) -> [BatchItem] {
        var talk = SampleTalk(seed: seed, authors: 1)
        return (0..<count).map { _ in
            let object = talk.object(0, to: "@b8x1n5p4.bob", length: 48)
            return SampleTalk.item(talk.wrapping(object, by: 0, devices: 2, salted: salted))
        }
    }

    private static func size(_ items: [BatchItem]) throws -> Int {
        try FrameCodec.encode(Frame(items: items), runs: true).count
    }

    @Test("they come back bit for bit, by one author and by several", arguments: [1, 2, 40])
    func whole(_ count: Int) throws {
        let items = Self.items(count)
        for item in items { #expect(try #require(MessageRow.take(item.body)).row.wraps?.count == 3) }
        let bytes = try FrameCodec.encode(Frame(items: items))
        #expect(try FrameCodec.decode(bytes).items == items)
    }

    @Test("a wrap costs its 48 bytes, and device, session and header once; as JSON it costs more")
    func sizes() throws {
        // Another salt than the message's goes as JSON, of the same length.
        let (one, ten) = (try Self.size(Self.items(1)), try Self.size(Self.items(10)))
        let (plainOne, plainTen) = (
            try Self.size(Self.items(1, salted: false)), try Self.size(Self.items(10, salted: false))
        )
        #expect(one < plainOne && ten < plainTen, "\(one) \(ten) \(plainOne) \(plainTen)")
        let bare = Self.items(10).map { item in
            var bare = item
            bare.body = (try? Message(parsing: item.body).replacingRecipients([]).canonicalBytes) ?? []
            return bare
        }
        // Of the tenth message each of the three wraps has its key, its reference and its position left.
        let last = try Self.size(Array(Self.items(10))) - Self.size(Array(Self.items(9)))
        let lastBare = try Self.size(bare) - Self.size(Array(bare.dropLast()))
        #expect((135...156).contains(last - lastBare), "\(last - lastBare)")
    }

    @Test(
        "what columns would not rebuild travels as JSON, and comes back as it was",
        arguments: ["salt", "session", "member"])
    func verbatim(_ what: String) throws {
        var talk = SampleTalk(seed: 5, authors: 1)
        var object = talk.wrapping(talk.object(0, to: "@b8x1n5p4.bob"), by: 0, salted: what != "salt")
        var entries = object["recipients"]?.array ?? []
        var first = entries[0].object ?? [:]
        if what == "session" { first["session"] = "short" }
        if what == "member" { first["more"] = 1 }
        entries[0] = .object(first)
        object["recipients"] = .array(entries)
        let item = SampleTalk.item(object)
        #expect(try #require(MessageRow.take(item.body)).row.wraps == nil)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
    }

    @Test("a message from a user to the own other devices comes back as well")
    func own() throws {
        var talk = SampleTalk(seed: 6, authors: 1)
        let object = talk.object(0, to: "@" + talk.authors[0].user, type: "system")
        let item = SampleTalk.item(talk.wrapping(object, by: 0, devices: 2))
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
    }

    @Test("33 wraps, a header of 2,049 bytes, a user that is neither, and wraps that are missing are refused")
    func limits() throws {
        var columns = WireColumns()
        let bytes = try FrameCodec.encode(Frame(items: Self.items(1)))
        var wire = try WireFrame(serializedBytes: bytes)
        let packed = WireBytes.array(wire.packedColumns)
        columns = try WireColumns(
            serializedBytes: packed.isEmpty ? WireBytes.array(wire.columns) : try Primer.decompress(packed))
        func refuses(_ change: (inout WireColumns) -> Void) throws -> Bool {
            var changed = columns
            change(&changed)
            wire.packedColumns = WireBytes.make([])
            wire.columns = WireBytes.make(try changed.serializedBytes() as [UInt8])
            return (try? FrameCodec.decode(try wire.serializedBytes())) == nil
        }
        #expect(try !refuses { _ in })
        #expect(try refuses { $0.wrapCounts = [33] })
        #expect(try refuses { $0.wrapCounts = [4] })
        #expect(try refuses { $0.wrapCounts = [2] })
        #expect(try refuses { $0.wrapHeaders[0] = 2_049 })
        #expect(try refuses { $0.wrapUsers = [2] })
        #expect(try refuses { $0.wraps = [9] })
    }
}
