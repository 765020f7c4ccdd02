import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-8.
@Suite("An acknowledgement")
struct AcknowledgementTests {
    private func roundTrip(_ ranges: [ClosedRange<UInt64>]) throws -> [ClosedRange<UInt64>] {
        let value = Acknowledgement(incarnation: .max, ranges: ranges, digest: [1, 2, 3, 4, 5, 6, 7, 8])
        let read = try FrameCodec.decode(FrameCodec.encode(Frame(acknowledgements: [value])))
        #expect(read.acknowledgements.first?.incarnation == .max)
        return try #require(read.acknowledgements.first).ranges
    }

    @Test(
        "ranges come back",
        arguments: [
            [], [0...0], [1...1], [1...9], [1...9, 11...11, 20...40], [0...UInt64.max],
            [0...(UInt64.max - 2), UInt64.max...UInt64.max],
        ] as [[ClosedRange<UInt64>]])
    func ranges(ranges: [ClosedRange<UInt64>]) throws {
        #expect(try roundTrip(ranges) == ranges)
    }

    @Test(
        "ranges out of order, overlapping or touching are refused",
        arguments: [
            [5...6, 1...2], [1...5, 5...6], [1...5, 6...7], [0...UInt64.max, 3...4],
            [0...(UInt64.max - 1), UInt64.max...UInt64.max],
        ] as [[ClosedRange<UInt64>]])
    func disorder(ranges: [ClosedRange<UInt64>]) {
        #expect(throws: ProtocolError.self) { try roundTrip(ranges) }
    }

    @Test("1,024 ranges and 16 acknowledgements pass, one more is refused")
    func limits() throws {
        let ranges = (0..<1025).map { UInt64($0 * 2)...UInt64($0 * 2) }
        #expect(try roundTrip(Array(ranges.prefix(1024))).count == 1024)
        #expect(throws: ProtocolError.self) { try roundTrip(ranges) }
        let one = Acknowledgement(incarnation: 1, ranges: [], digest: [0, 0, 0, 0, 0, 0, 0, 0])
        let most = Frame(acknowledgements: [Acknowledgement](repeating: one, count: 16))
        #expect(try FrameCodec.decode(FrameCodec.encode(most)) == most)
        #expect(throws: ProtocolError.self) {
            try FrameCodec.encode(Frame(acknowledgements: most.acknowledgements + [one]))
        }
    }

    @Test("a digest has 8 bytes", arguments: [0, 7, 9])
    func digestLength(count: Int) {
        let wrong = Acknowledgement(incarnation: 1, ranges: [], digest: [UInt8](repeating: 0, count: count))
        #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(acknowledgements: [wrong])) }
    }

    @Test("the digest is the beginning of SHA-256 over the frames' digests (FIPS 180-4: of nothing, e3b0c442…)")
    func digest() {
        #expect(Hex.encode(Acknowledgement.digest(of: [])) == "e3b0c44298fc1c14")
        // SHA-256 of "abc", given as two parts.
        let parts = [Array("ab".utf8), Array("c".utf8)]
        #expect(Hex.encode(Acknowledgement.digest(of: parts)) == "ba7816bf8f01cfea")
    }
}
