import GodwitCompression
import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Signatures that a later message of the same chain makes needless (D-5, COMP rows).
@Suite("Runs under one signature")
struct SignatureRunTests {
    private static func encoded(_ items: [BatchItem], runs: Bool = true) throws -> [UInt8] {
        try FrameCodec.encode(Frame(items: items), runs: runs)
    }

    private static func messages(_ items: [BatchItem]) throws -> [GodwitProtocol.Message] {
        try items.map { try GodwitProtocol.Message(parsing: $0.body) }
    }

    /// Every message is the one that was sent, and is proven by a signature that its author made over a message of the
    /// same device.
    private static func expectProven(
        _ read: [GodwitProtocol.Message], as sent: [GodwitProtocol.Message],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let made = Dictionary(uniqueKeysWithValues: sent.map { ($0.hash, $0) })
        for message in read {
            #expect(message.hash == made[message.hash]?.hash, sourceLocation: sourceLocation)
            let signer = made[message.proof.signed]
            #expect(signer?.device == message.device, sourceLocation: sourceLocation)
            #expect(signer?.conversation == message.conversation, sourceLocation: sourceLocation)
            #expect(signer?.proof.signature == message.proof.signature, sourceLocation: sourceLocation)
        }
    }

    @Test("one signature goes for each author; each message arrives with the way to it")
    func authors() throws {
        var talk = SampleTalk(seed: 1, authors: 5)
        let items = (0..<60).map { _ in talk.item(talk.random.below(5)) }
        let sent = try Self.messages(items)
        let (plain, short) = (try Self.encoded(items, runs: false), try Self.encoded(items))
        #expect(plain.count - short.count > 54 * 64)
        let read = try Self.messages(FrameCodec.decode(short).items)
        #expect(read.map(\.hash) == sent.map(\.hash))
        Self.expectProven(read, as: sent)
        #expect(read.count { $0.proof.hashes.isEmpty } == 5)
        #expect(try FrameCodec.decode(plain).items == items, "and without runs bit for bit")
    }

    @Test("a run has at most 32 messages: the 33rd gets a signature of its own in the middle")
    func length() throws {
        for count in [32, 33] {
            var talk = SampleTalk(seed: 2, authors: 1)
            let items = (0..<count).map { _ in talk.item(0) }
            let read = try Self.messages(FrameCodec.decode(Self.encoded(items)).items)
            Self.expectProven(read, as: try Self.messages(items))
            #expect(read.count { $0.proof.hashes.isEmpty } == (count == 32 ? 1 : 2))
            #expect(read.map(\.proof.hashes.count).max() == 31)
        }
    }

    @Test("over any hops, cut anywhere, in any order, everything stays proven", arguments: UInt64(1)...40)
    func hops(seed: UInt64) throws {
        var talk = SampleTalk(seed: seed, authors: 3)
        var items = (0..<120).map { _ in
            talk.item(talk.random.below(3), to: talk.random.below(4) == 0 ? "@b8x1n5p4.bob" : "#general")
        }
        let sent = try Self.messages(items)
        for hop in 0..<4 {
            if hop % 2 == 1 { items.shuffle(using: &talk.random) }
            var arrived: [BatchItem] = []
            while !items.isEmpty {
                let part = Array(items.prefix(1 + talk.random.below(50)))
                items.removeFirst(part.count)
                arrived += try FrameCodec.decode(Self.encoded(part, runs: talk.random.below(3) > 0)).items
            }
            let read = try Self.messages(arrived)
            #expect(Set(read.map(\.hash)) == Set(sent.map(\.hash)))
            Self.expectProven(read, as: sent)
            items = arrived
        }
    }

    @Test("two messages at one place of a chain, and a gap in it, keep what proves them")
    func forks() throws {
        var talk = SampleTalk(seed: 3, authors: 2)
        let first = talk.item(0)
        let before = talk.authors[0].chains
        let left = talk.item(0)
        talk.authors[0].chains = before
        let right = talk.item(0)
        _ = talk.item(0)
        let late = talk.item(0)
        let items = [first, left, right, late, talk.item(1)]
        let read = try Self.messages(FrameCodec.decode(Self.encoded(items)).items)
        Self.expectProven(read, as: try Self.messages(items))
        #expect(read.map(\.proof.hashes.count) == [1, 0, 0, 0, 0])
    }

    @Test("what others mix in stays as it was")
    func mixture() throws {
        var talk = SampleTalk(seed: 4, authors: 4)
        let items = talk.mixture(80)
        let read = try FrameCodec.decode(Self.encoded(items)).items
        #expect(read.count == items.count)
        for (one, other) in zip(read, items) {
            #expect(one.kind == other.kind && one.priority == other.priority && one.lifetime == other.lifetime)
            guard let sent = try? GodwitProtocol.Message(parsing: other.body) else {
                #expect(one.body == other.body)
                continue
            }
            #expect(try GodwitProtocol.Message(parsing: one.body).hash == sent.hash)
        }
    }

    @Test("a signature that is further away than 64 messages is refused, and so are covers that are left over")
    func limits() throws {
        var talk = SampleTalk(seed: 5, authors: 1)
        let item = talk.item(0)
        func foreign(_ covers: [UInt32], hashes: Int) throws -> [UInt8] {
            var wire = try WireFrame(serializedBytes: Self.encoded([item]))
            var columns = try WireColumns(
                serializedBytes: wire.packedColumns.isEmpty
                    ? WireBytes.array(wire.columns)
                    : #require(BrotliPrimer.envelope).decompress(WireBytes.array(wire.packedColumns), limit: 10_000))
            columns.covers = covers
            wire.packedColumns = WireBytes.make([])
            wire.columns = WireBytes.make(try columns.serializedBytes())
            let opaque = WireBytes.array(wire.opaque)
            wire.opaque = WireBytes.make(
                opaque.dropLast(64) + [UInt8](repeating: 7, count: 32 * hashes) + opaque.suffix(64))
            return try wire.serializedBytes()
        }
        let most = try Self.messages(FrameCodec.decode(foreign([64], hashes: 64)).items)
        #expect(most[0].proof.hashes.count == 64)
        for (covers, hashes) in [([65], 65), ([1], 0), ([0, 1], 0), ([UInt32.max], 0)] as [([UInt32], Int)] {
            #expect(throws: ProtocolError.self, "\(covers)") { try FrameCodec.decode(foreign(covers, hashes: hashes)) }
        }
    }
}
