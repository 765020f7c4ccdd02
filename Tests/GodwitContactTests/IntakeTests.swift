import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

/// Frames that must not be taken (issue 2, "What bad input gets"): a stated error, and nothing is written.
@Suite("Frames that are refused")
struct IntakeTests {
    private func pair() throws -> Pair<MemorySpool> {
        try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
    }

    /// A record with one item from left to right.
    private func record(_ hop: Pair<MemorySpool>, _ number: Int = 1) async throws -> [UInt8] {
        try await hop.left.enqueue(number, to: hop.right.identity.party)
        return try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
    }

    private func expectNothing(at end: End<MemorySpool>) async throws {
        #expect(end.keeper.received.all.isEmpty)
        #expect(end.keeper.announced.withLock { $0 } == 0)
        let known = try await end.spool.read { try $0.inbound(from: .node(try NodeID("leftend1"))) }
        #expect(known.isEmpty)
    }

    @Test("a frame by an unknown sender is refused with 1000")
    func unknownSender() async throws {
        let hop = try pair()
        let stranger = try End("stranger", keyByte: 33, MemorySpool(configuration: .test))
        try await stranger.enqueue(1, to: hop.right.identity.party)
        let record = try #require(try await stranger.outlet.next(to: hop.right.key, limits))
        let error = await #expect(throws: ProtocolError.self) { try await hop.right.intake.take(record) }
        #expect(error?.code == .invalidCredentials && error?.hint != nil)
        try await expectNothing(at: hop.right)
    }

    @Test("a known key under another party's name opens nothing")
    func otherParty() async throws {
        let hop = try pair()
        let record = try await record(hop)
        let other = try End("rightnd2", keyByte: 22, MemorySpool(configuration: .test))
        // The same key, but the receiver takes it for that of another node: the names are in the seal.
        other.directory.add(PeerKey(party: .node(try NodeID("someoneb")), noiseKey: hop.left.key.noiseKey))
        let error = await #expect(throws: ProtocolError.self) { try await other.intake.take(record) }
        #expect(error?.code == .invalidCredentials)
        try await expectNothing(at: other)
    }

    @Test("a frame for someone else is refused with 1000")
    func forSomeoneElse() async throws {
        let hop = try pair()
        let third = try End("thirdnd3", keyByte: 44, MemorySpool(configuration: .test))
        third.directory.add(hop.left.key)
        let record = try await record(hop)
        let error = await #expect(throws: ProtocolError.self) { try await third.intake.take(record) }
        #expect(error?.code == .invalidCredentials)
        try await expectNothing(at: third)
    }

    @Test("a frame with any bit flipped is refused, and nothing of it is kept")
    func altered() async throws {
        let hop = try pair()
        let record = try await record(hop)
        for bit in 0..<record.count * 8 {
            var copy = record
            copy[bit / 8] ^= 1 << UInt8(bit % 8)
            let error = await #expect(throws: ProtocolError.self) { try await hop.right.intake.take(copy) }
            #expect([.invalidCredentials, .invalidMessageFormat].contains(error?.code))
        }
        try await expectNothing(at: hop.right)
        #expect(try await hop.right.intake.take(record).items == 1)
    }

    @Test("a frame cut anywhere, or with a byte more, is refused with 1000 or 2000")
    func truncated() async throws {
        let hop = try pair()
        let record = try await record(hop)
        for count in 0..<record.count {
            let cut = Array(record.prefix(count))
            let error = await #expect(throws: ProtocolError.self) { try await hop.right.intake.take(cut) }
            // Header and an empty Noise message: from there on only the seal can tell.
            #expect(error?.code == (count < 10 + 48 ? .invalidMessageFormat : .invalidCredentials))
        }
        await #expect(throws: ProtocolError.self) { try await hop.right.intake.take(record + [0]) }
        try await expectNothing(at: hop.right)
    }

    @Test("the last payload that a seal holds is taken, one byte more cannot be sealed or read")
    func largest() async throws {
        let hop = try pair()
        // A floor of zero and no items: an unknown field fills the frame up.
        let filler = try Self.payload(of: SealedFrame.payloadMax)
        let record = try hop.seal(filler, number: 1)
        #expect(record.count == 65_529, "10 bytes of header, 48 of seal, 65,471 of payload")
        #expect(try await hop.right.intake.take(record).items == 0)
        #expect(throws: CryptoError.self) { try hop.seal(filler + [0], number: 2) }
        let error = await #expect(throws: ProtocolError.self) { try await hop.right.intake.take(record + [0]) }
        #expect(error?.code == .invalidMessageFormat)
    }

    /// A frame of `count` bytes that holds nothing but a field that readers ignore.
    private static func payload(of count: Int) throws -> [UInt8] {
        // Field 100, bytes: key 0xA2 0x06, then the length as a varint of three bytes.
        let length = count - 5
        return [0xA2, 0x06, UInt8(length & 0x7F) | 0x80, UInt8(length >> 7 & 0x7F) | 0x80, UInt8(length >> 14)]
            + [UInt8](repeating: 0, count: length)
    }

    @Test("a frame that is no protobuf under a sound seal is refused with 2000 and keeps its number free")
    func malformed() async throws {
        let hop = try pair()
        let error = await #expect(throws: ProtocolError.self) {
            try await hop.right.intake.take(try hop.seal([0xFF, 0xFF, 0xFF], number: 1))
        }
        #expect(error?.code == .invalidMessageFormat)
        try await expectNothing(at: hop.right)
        #expect(try await hop.right.intake.take(try await record(hop)).items == 1)
    }

    @Test("a number used again for other bytes is refused with 3001; what it held is not taken")
    func conflict() async throws {
        let hop = try pair()
        let number = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(try await hop.right.intake.take(try await record(hop)).items == 1)
        let other = try FrameCodec.encode(Frame(floor: 1, items: [Self.item(9)]))
        let error = await #expect(throws: ProtocolError.self) {
            try await hop.right.intake.take(try hop.seal(other, number: 1, incarnation: number.incarnation))
        }
        #expect(error?.code == .federationError && error?.hint != nil)
        #expect(try hop.right.keeper.received.all.map(Sample.number) == [1])
    }

    @Test("a repeated frame is acknowledged again and otherwise ignored")
    func repeated() async throws {
        let hop = try pair()
        let record = try await record(hop)
        #expect(try await hop.right.intake.take(record).items == 1)
        for _ in 0..<3 {
            let taken = try await hop.right.intake.take(record)
            #expect(taken.isRepeat && taken.items == 0)
        }
        #expect(hop.right.keeper.received.all.count == 1)
        let greeting = try await hop.right.outlet.loose(to: hop.left.key, hasMore: false)
        #expect(try await hop.left.intake.take(greeting).released == 1)
    }

    @Test("all records of one exchange come from the party that sealed the first")
    func onePartyAnExchange() async throws {
        let hop = try pair()
        let third = try End("thirdnd3", keyByte: 44, MemorySpool(configuration: .test))
        hop.right.directory.add(third.key)
        try await third.enqueue(5, to: hop.right.identity.party)
        let foreign = try #require(try await third.outlet.next(to: hop.right.key, limits))
        let session = await hop.right.answerer(limits).openExchange()
        try await session.receive(try await hop.left.outlet.loose(to: hop.right.key, hasMore: false))
        let error = await #expect(throws: ProtocolError.self) { try await session.receive(foreign) }
        #expect(error?.code == .invalidCredentials)
        #expect(hop.right.keeper.received.all.isEmpty)
    }

    @Test("the caller takes nothing but the called peer's frames from an answer")
    func answerOfAnother() async throws {
        let hop = try pair()
        let third = try End("thirdnd3", keyByte: 44, MemorySpool(configuration: .test))
        hop.left.directory.add(third.key)
        try await third.enqueue(5, to: hop.left.identity.party)
        let foreign = try #require(try await third.outlet.next(to: hop.left.key, limits))
        let error = await #expect(throws: ProtocolError.self) {
            try await hop.left.intake.take(foreign, from: hop.right.key)
        }
        #expect(error?.code == .invalidCredentials)
        #expect(try await hop.left.intake.take(foreign).items == 1)
    }

    @Test("an exchange without a frame is refused with 2000")
    func emptyBody() async throws {
        let session = await (try pair()).right.answerer(limits).openExchange()
        let error = await #expect(throws: ProtocolError.self) { try await session.next() }
        #expect(error?.code == .invalidMessageFormat && error?.hint != nil)
    }

    static func item(_ number: Int) -> BatchItem {
        BatchItem(
            kind: .object, body: Sample.body(number, size: 100), created: Timestamp(milliseconds: 1_750_000_000_000),
            priority: .control)
    }
}

extension Pair {
    /// A record from left to right with a payload of the test's own.
    func seal(_ payload: [UInt8], number: UInt64, incarnation: UInt32 = 7) throws -> [UInt8] {
        try SealedFrame(
            sealing: payload, over: direction, senderKey: left.identity.noiseKey,
            receiverKey: right.key.noiseKey, incarnation: incarnation, number: number
        ).bytes
    }

    private var direction: Hop {
        Hop(sender: left.identity.party, receiver: right.identity.party)
    }
}
