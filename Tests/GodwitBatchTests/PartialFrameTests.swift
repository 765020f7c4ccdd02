import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Frames that say of which frames the beginning has come (docs/protocol.md §8.1).
@Suite("A partial frame") struct PartialFrameTests {
    private static let usual = PartialFrame(
        incarnation: .max, number: 300, count: 4_000, digest: [1, 2, 3, 4, 5, 6, 7, 8])

    private func roundTrip(_ partial: PartialFrame) throws -> PartialFrame? {
        try FrameCodec.decode(FrameCodec.encode(Frame(partials: [partial]))).partials.first
    }

    private func read(_ change: (inout WirePartial) -> Void) throws -> Frame {
        var wire = WireFrame(partial: Self.usual)
        change(&wire.partials[0])
        return try FrameCodec.decode(try wire.serializedBytes())
    }

    @Test("64 to 65,553 bytes may have come", arguments: [(63, false), (64, true), (65_553, true), (65_554, false)])
    func counts(_ count: Int, isFine: Bool) throws {
        var partial = Self.usual
        partial.count = count
        if isFine {
            #expect(try roundTrip(partial) == partial)
        } else {
            #expect(throws: ProtocolError.self) { try roundTrip(partial) }
            #expect(throws: ProtocolError.self) { try read { $0.count = UInt32(count) } }
        }
        #expect(try read { _ in }.partials == [Self.usual])
    }

    @Test("a number from 1 up, and a digest of 8 bytes")
    func malformed() throws {
        #expect(try read { $0.number = .max }.partials.first?.number == .max)
        #expect(throws: ProtocolError.self) { try read { $0.number = 0 } }
        #expect(throws: ProtocolError.self) { try read { $0.digest = WireBytes.make([1, 2, 3, 4, 5, 6, 7]) } }
        #expect(throws: ProtocolError.self) { try read { $0.digest = WireBytes.make([UInt8](0...8)) } }
    }

    @Test("16 in a frame pass, one more is refused")
    func limit() throws {
        let most = Frame(partials: [PartialFrame](repeating: Self.usual, count: 16))
        #expect(try FrameCodec.decode(FrameCodec.encode(most)) == most)
        #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(partials: most.partials + [Self.usual])) }
        var wire = WireFrame(partial: Self.usual)
        wire.partials = [WirePartial](repeating: wire.partials[0], count: 17)
        let bytes: [UInt8] = try wire.serializedBytes()
        #expect(throws: ProtocolError.self) { try FrameCodec.decode(bytes) }
    }

    @Test("what it costs stands with the acknowledgements")
    func account() throws {
        let bytes = try FrameCodec.encode(Frame(partials: [Self.usual]))
        #expect(bytes.count == 23)
        #expect(try FrameCodec.account(of: bytes).total[.acknowledgements]?.wire == 23)
    }

    @Test("the beginning of a record is what came of it, without its length")
    func beginning() throws {
        var reader = ExchangeReader()
        #expect(reader.beginning.isEmpty)
        #expect(try reader.feed([2, 1, 2, 0x81]) == [[1, 2]])
        #expect(reader.beginning.isEmpty)
        #expect(try reader.feed([1]).isEmpty && reader.beginning.isEmpty)
        #expect(try reader.feed([7, 8]).isEmpty && reader.beginning == [7, 8])
        let rest = [UInt8](repeating: 9, count: 127)
        #expect(try reader.feed(rest) == [[7, 8] + rest])
        #expect(reader.beginning.isEmpty)
    }
}

extension WireFrame {
    fileprivate init(partial: PartialFrame) {
        self.init()
        if let wire = try? partial.wire() { partials = [wire] }
    }
}
