import GodwitProtocol
import Testing

@testable import GodwitBatch

/// Every byte of a batch is accounted for (issue 3, "Columns").
@Suite("The account of a frame")
struct FrameAccountTests {
    private static func frame(_ seed: UInt64) -> Frame {
        var talk = SampleTalk(seed: seed, authors: 1 + Int(seed % 7))
        let items = talk.mixture(Int(seed))
        return Frame(
            floor: seed * 3,
            acknowledgements: seed % 2 == 0
                ? [] : [Acknowledgement(incarnation: 7, ranges: [1...3, 9...9], digest: talk.random.bytes(8))],
            items: items, hasMore: seed % 3 == 0)
    }

    @Test("adds up to the byte for any mixture of items, in columns or verbatim", arguments: 0..<50 as Range<UInt64>)
    func addsUp(seed: UInt64) throws {
        let frame = Self.frame(seed)
        for runs in [false, true] {
            let bytes = try FrameCodec.encode(frame, runs: runs)
            let account = try FrameCodec.account(of: bytes)
            #expect(account.wire == bytes.count)
            #expect(account.items.count == frame.items.count)
            #expect(account.items.map(\.kind) == frame.items.map(\.kind))
            let decoded = try FrameCodec.decode(bytes).items
            #expect(account.items.map(\.body) == decoded.map(\.body.count))
            let ciphertexts = decoded.compactMap { MessageRow.take($0.body)?.row.ciphertext.count }.reduce(0, +)
            let total = account.total
            #expect((total[.content]?.wire ?? 0) + (total[.contentTag]?.wire ?? 0) == ciphertexts)
            #expect(total[.unknownFields] == nil)
            if let block = account.block { #expect(block.wire <= block.raw) }
        }
    }

    @Test("says what a message takes: 48 of content, 16 of tag, 64 of signature, 32 of epoch, 4 of salt")
    func oneMessage() throws {
        var talk = SampleTalk(seed: 3, authors: 1)
        let item = talk.item(0)
        let account = try FrameCodec.account(of: try FrameCodec.encode(Frame(items: [item])))
        let columns = account.items[0].columns
        let exact: [BatchColumn: Int] = [
            .content: 48, .contentTag: 16, .signature: 64, .epoch: 32, .salt: 4,
        ]
        for (column, count) in exact { #expect(columns[column] == .init(wire: count, raw: count), "\(column)") }
        // The user's name as a string field, and the 5 bytes of the device.
        #expect(columns[.author]?.raw == 2 + talk.authors[0].user.utf8.count + 5)
        #expect(columns[.keyID] == nil, "it follows from the epoch")
        #expect(try account.items[0].id == Message(parsing: item.body).hash.bytes)
    }

    @Test("signatures that a later one makes needless cost nothing, and hashes that stand before one are its cover")
    func runs() throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        let items = (0..<5).map { _ in talk.item(0) }
        let account = try FrameCodec.account(of: try FrameCodec.encode(Frame(items: items), runs: true))
        #expect(account.items.map { $0.columns[.signature]?.wire ?? 0 } == [0, 0, 0, 0, 64])
        #expect(account.total[.covers] == nil)
    }

    @Test("bytes that were lifted out of a body are that item's, and exact", arguments: 0..<10 as Range<UInt64>)
    func lifted(seed: UInt64) throws {
        var samples = LiftSamples(seed: seed)
        var talk = SampleTalk(seed: seed, authors: 3)
        let items = (samples.all() + talk.mixture(10)).shuffled(using: &talk.random)
        for runs in [false, true] {
            let bytes = try FrameCodec.encode(Frame(items: items), runs: runs)
            let account = try FrameCodec.account(of: bytes)
            #expect(account.wire == bytes.count)
            let block = try #require(account.block)
            for (item, line) in zip(items, account.items) where MessageRow.take(item.body) == nil {
                let lifted = BodyLifts(item.body).runs
                let raw = lifted.reduce(0) { $0 + $1.bytes.count }
                let text = item.body.count - lifted.reduce(0) { $0 + $1.place.count - 1 }
                let body = try #require(line.columns[.body])
                // Some counts take a byte or two behind the marker.
                #expect((0...2 * lifted.count).contains(body.raw - text - raw), "\(body.raw) \(text) \(raw)")
                #expect(body.wire >= raw && body.wire <= raw + text && block.raw > block.wire)
            }
        }
    }

    @Test("bytes that no encoder writes are told apart, and still counted")
    func strange() throws {
        let bytes = try FrameCodec.encode(Self.frame(9))
        // A field 900 of three bytes, then a second `opaque` of one byte before the real one.
        let unknown: [UInt8] = [0xA2, 0x38, 3, 1, 2, 3]
        let account = try FrameCodec.account(of: [0x32, 1, 7] + unknown + bytes)
        #expect(account.wire == bytes.count + 9)
        #expect(account.total[.unknownFields]?.wire == 9)
    }

    @Test("an empty frame has an empty account")
    func empty() throws {
        let bytes = try FrameCodec.encode(Frame(floor: 300, hasMore: true))
        let account = try FrameCodec.account(of: bytes)
        #expect(account.wire == bytes.count && account.items.isEmpty && account.block == nil)
        #expect(account.shared[.floor]?.wire == 3 && account.shared[.more]?.wire == 2)
    }

    @Test("every flipped bit and every truncation adds up or is refused as the decoder refuses it")
    func damage() throws {
        let bytes = try FrameCodec.encode(Self.frame(6), runs: true)
        var damaged: [[UInt8]] = (0..<bytes.count).map { Array(bytes.prefix($0)) }
        for index in bytes.indices {
            for bit in 0..<8 {
                var copy = bytes
                copy[index] ^= 1 << UInt8(bit)
                damaged.append(copy)
            }
        }
        var refused = 0
        for copy in damaged {
            let isReadable = (try? FrameCodec.decode(copy)) != nil
            do {
                let account = try FrameCodec.account(of: copy)
                #expect(account.wire == copy.count && isReadable)
            } catch {
                refused += 1
                #expect(error.code == .invalidMessageFormat || error.code == .messageTooLarge)
            }
        }
        #expect(refused > damaged.count / 8)
    }
}
