import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-11: the body of an exchange, as it comes in pieces.
@Suite("An exchange body")
struct ExchangeTests {
    @Test("records come out whole, however the body is cut", arguments: 0..<50 as Range<UInt64>)
    func pieces(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let records = (0..<random.below(12)).map { _ in random.bytes(1 + random.below(400)) }
        let body = records.flatMap(ExchangeWriter.frame)
        var reader = ExchangeReader()
        var read: [[UInt8]] = []
        var start = 0
        while start < body.count {
            let end = min(body.count, start + 1 + random.below(300))
            read += try reader.feed(body[start..<end])
            start = end
        }
        try reader.end()
        #expect(read == records)
    }

    @Test("a record of 65,600 bytes passes, one more byte is refused before it is read")
    func limit() throws {
        let most = [UInt8](repeating: 1, count: 65_600)
        var reader = ExchangeReader()
        #expect(try reader.feed(ExchangeWriter.frame(most)) == [most])
        let error = #expect(throws: ProtocolError.self) { try reader.feed(Varint.bytes(65_601)) }
        #expect(error?.code == .messageTooLarge)
        #expect(throws: ProtocolError.self) { try reader.feed([1, 1]) }
    }

    @Test("empty records and lengths in a longer form than needed are refused")
    func malformed() {
        for bytes in [[0], [0x81, 0x00], [0x80, 0x80, 0x00], [UInt8](repeating: 0xFF, count: 10)] as [[UInt8]] {
            var reader = ExchangeReader()
            #expect(throws: ProtocolError.self) { try reader.feed(bytes) }
        }
    }

    @Test("a body that ends within a record is noticed")
    func cut() throws {
        var reader = ExchangeReader()
        #expect(try reader.feed([3, 1, 2]).isEmpty)
        #expect(throws: ProtocolError.self) { try reader.end() }
    }

    @Test("varints are LEB128 (DWARF 5, figure C.1)")
    func varints() throws {
        let known: [(UInt64, [UInt8])] = [
            (2, [2]), (127, [127]), (128, [0x80, 1]), (129, [0x81, 1]), (130, [0x82, 1]), (12857, [0xB9, 0x64]),
            (.max, [UInt8](repeating: 0xFF, count: 9) + [1]),
        ]
        for (value, bytes) in known {
            #expect(Varint.bytes(value) == bytes)
            let read = try #require(try Varint.read((bytes + [9])[...]))
            #expect(read == (value, bytes.count))
        }
        #expect(try Varint.read([0x80, 0x80][...]) == nil)
    }
}
