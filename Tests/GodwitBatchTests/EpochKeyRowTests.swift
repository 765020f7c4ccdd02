import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Keys of joiners go as the bytes that they are (D-14, D-7).
@Suite("Epoch keys in columns")
struct EpochKeyRowTests {
    private static func key(models: Set<UInt8> = [1]) throws -> EpochKey {
        EpochKey(
            keyID: (1...10).map { UInt8($0) }, device: try DeviceID("abcdefgh"),
            key: (0..<80).map { UInt8($0) }, models: models)
    }

    private static func item(_ body: [UInt8]) -> BatchItem {
        BatchItem(kind: .object, body: body, created: Timestamp(milliseconds: 1_700_000_000_000), priority: .control)
    }

    private static func bytes(_ bodies: [[UInt8]]) throws -> [UInt8] {
        try FrameCodec.encode(Frame(items: bodies.map(item)))
    }

    @Test("a key comes back as it was, with any models, among other objects")
    func roundTrip() throws {
        for models in [[], [1], [127], Set<UInt8>(1...16)] as [Set<UInt8>] {
            let body = try Self.key(models: models).object.canonicalBytes()
            #expect(EpochKeyRow.bytes(of: body)?.count == 96 + models.count)
            let other = Array(#"{"type":"x"}"#.utf8)
            let bodies = [other, body, body, other, body]
            #expect(try FrameCodec.decode(Self.bytes(bodies)).items.map(\.body) == bodies)
        }
    }

    @Test("a key costs its bytes and at most 20 more, alone in a frame")
    func size() throws {
        let empty = try FrameCodec.encode(Frame(items: [])).count
        #expect(try Self.bytes([Self.key().object.canonicalBytes()]).count - empty <= 97 + 20)
    }

    @Test("what would not come back bit for bit goes as text")
    func text() throws {
        let object = try Self.key().object
        var bodies = [
            Array(object.canonicalText.replacing(",", with: ", ").utf8),
            object.setting("x", 1).canonicalBytes(), object.setting("models", [2, 1]).canonicalBytes(),
            object.setting("models", []).canonicalBytes(), object.setting("type", "epoch").canonicalBytes(),
            object.setting("key", .string(Base64.encode([UInt8](repeating: 1, count: 79)))).canonicalBytes(),
        ]
        bodies.append(object.setting("x", .string(String(repeating: "y", count: 600))).canonicalBytes())
        for body in bodies {
            #expect(EpochKeyRow.bytes(of: body) == nil)
            #expect(try FrameCodec.decode(Self.bytes([body])).items.map(\.body) == [body])
        }
    }

    private static func frame(_ opaque: [UInt8], kind: UInt32 = 2) throws -> [UInt8] {
        var columns = WireColumns()
        columns.kinds = [kind | 1 << 2]
        columns.bodyLengths = [0]
        var frame = WireFrame()
        frame.columns = WireBytes.make(try columns.serializedBytes())
        frame.opaque = WireBytes.make(opaque)
        return try frame.serializedBytes()
    }

    @Test(
        "models out of order, twice, 0, above 127 or more than 16, bytes too few or left over, and other kinds are refused"
    )
    func hostile() throws {
        func row(_ models: [UInt8], rest: Int = 80) -> [UInt8] {
            [UInt8](repeating: 7, count: 15) + [UInt8(models.count)] + models + [UInt8](repeating: 9, count: rest)
        }
        #expect(try FrameCodec.decode(Self.frame(row([1, 2]))).items.count == 1)
        let wrong: [[UInt8]] = [
            [], row([2, 1]), row([1, 1]), row([0]), row([128]), row((1...17).map { UInt8($0) }), row([1], rest: 79),
            row([1], rest: 81),
        ]
        for opaque in wrong {
            #expect(throws: ProtocolError.self, "\(opaque.count)") { try FrameCodec.decode(Self.frame(opaque)) }
        }
        for kind: UInt32 in [1, 3] {
            #expect(throws: ProtocolError.self) { try FrameCodec.decode(Self.frame(row([1]), kind: kind)) }
        }
    }
}
