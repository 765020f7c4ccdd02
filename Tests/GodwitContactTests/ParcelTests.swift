import GodwitBatch
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitContact

/// What is carried by hand (CAR rows, D-11).
@Suite("Parcels")
struct ParcelTests {
    private static func hop() throws -> Pair<MemorySpool> {
        try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
    }

    private static func parcel(_ hop: Pair<MemorySpool>, _ most: Int) async throws -> Parcel {
        try await hop.left.outlet.parcel(
            to: hop.right.key, frame: FrameSizing.payloadMax, runs: true, most: ByteCount(most))
    }

    private static func body(_ records: [[UInt8]]) -> Int {
        records.reduce(0) { $0 + ExchangeWriter.frame($1).count }
    }

    @Test("no parcel is larger than asked, whatever waits and whatever went before", arguments: 0..<12)
    func neverLarger(_ seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let hop = try Self.hop()
        var number = 0
        for _ in 0..<25 {
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let priority = PriorityClass.allCases.randomElement(using: &random) ?? .bulk
                try await hop.left.enqueue(
                    number, to: hop.right.identity.party, priority, size: Int.random(in: 60...9_000, using: &random))
                number += 1
            }
            let most = Int.random(in: 256...40_000, using: &random)
            let parcel = try await Self.parcel(hop, most)
            #expect(Self.body(parcel.records) <= most && parcel.bytes.bytes == Self.body(parcel.records))
            guard Bool.random(using: &random) else { continue }
            for record in parcel.records { _ = try await hop.right.intake.take(record) }
            let back = try await hop.right.outlet.parcel(
                to: hop.left.key, frame: FrameSizing.payloadMax, runs: true, most: ByteCount(9_000))
            #expect(back.records.count == 1, "acknowledgements go also if nothing waits")
            for record in back.records { _ = try await hop.left.intake.take(record) }
        }
        // With room for all nothing is left, and each item has come once.
        let last = try await Self.parcel(hop, 4_000_000)
        #expect(!last.isLeft)
        for record in last.records { _ = try await hop.right.intake.take(record) }
        #expect(try hop.right.keeper.received.all.map(Sample.number).sorted() == Array(0..<number))
    }

    @Test("what was left out is told, and goes the next time")
    func leftOut() async throws {
        let hop = try Self.hop()
        for number in 0..<4 { try await hop.left.enqueue(number, to: hop.right.identity.party, .bulk, size: 9_000) }
        let small = try await Self.parcel(hop, 12_000)
        #expect(small.isLeft && small.records.count > 1)
        // The frame that was made is larger than this, and nothing else fits either.
        let tiny = try await Self.parcel(hop, 300)
        #expect(tiny.isLeft && tiny.records.count == 1)
        let all = try await Self.parcel(hop, 100_000)
        #expect(!all.isLeft)
        for record in all.records { _ = try await hop.right.intake.take(record) }
        #expect(try hop.right.keeper.received.all.map(Sample.number).sorted() == [0, 1, 2, 3])
    }

    @Test("acknowledgements that do not fit are refused, with one byte more they are a parcel")
    func tooSmall() async throws {
        let hop = try Self.hop()
        let least = try await Self.parcel(hop, 10_000).bytes.bytes
        #expect(try await Self.parcel(hop, least).records.count == 1)
        let error = await #expect(throws: ProtocolError.self) { try await Self.parcel(hop, least - 1) }
        #expect(error?.code == .invalidMessageFormat && error?.hint?.contains("\(least)") == true)
    }

    @Test("frames are as large as frames can be")
    func largeFrames() async throws {
        let hop = try Self.hop()
        for number in 0..<40 { try await hop.left.enqueue(number, to: hop.right.identity.party, .bulk, size: 5_000) }
        let parcel = try await Self.parcel(hop, 1_000_000)
        let frames = parcel.records.dropFirst().map(\.count)
        let sum = frames.reduce(0, +)
        #expect(sum > 100_000, "what no compressor shortens")
        #expect(frames.count <= sum / 50_000 + 1, "\(frames)")
    }
}
