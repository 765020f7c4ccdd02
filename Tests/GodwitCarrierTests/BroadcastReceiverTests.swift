import GodwitBatch
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct BroadcastReceiverTests {
    static func records(_ count: Int, seed: UInt64, sizes: ClosedRange<Int> = 58...3_000) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { index in
            let size = Int.random(in: sizes, using: &random)
            return [UInt8(index)] + (1..<size).map { _ in .random(in: 0...255, using: &random) }
        }
    }

    private static func datagrams(_ object: BroadcastObject) -> [[UInt8]] {
        (0..<object.count).map { object.datagram($0).encoded }
    }

    private static func take(
        _ receiver: inout BroadcastReceiver, _ datagrams: some Sequence<[UInt8]>, from source: String = "a",
        at now: Duration = .zero
    ) -> [[UInt8]] {
        datagrams.flatMap { receiver.take($0, from: source, at: now).map(\.bytes) }
    }

    @Test("without loss each record is found with the datagram that has its last byte, and parity changes nothing")
    func lossless() throws {
        let records = Self.records(20, seed: 1)
        let object = try #require(BroadcastObject(records, symbolSize: 200, blocks: 3, redundancy: 0.3))
        var receiver = BroadcastReceiver()
        var (end, found) = (0, 0)
        let ends = records.map { record -> Int in
            end += ExchangeWriter.frame(record).count
            return end
        }
        for number in 0..<object.count {
            let new = Self.take(&receiver, [object.datagram(number).encoded])
            found += new.count
            let bytes = min((number + 1) * object.layout.symbolSize, end)
            #expect(found == ends.count { $0 <= bytes }, "after datagram \(number)")
        }
        #expect(found == records.count && receiver.counts.objects == 1 && receiver.held == 0)
    }

    @Test("loss, any order and duplicates: as long as each block has k symbols, every record comes exactly once")
    func seededFaults() throws {
        var random = SeededGenerator(seed: 9)
        var repaired = 0
        for round in 0..<60 {
            let records = Self.records(Int.random(in: 1...15, using: &random), seed: UInt64(round))
            let size = Int.random(in: 60...700, using: &random)
            let object = try #require(
                BroadcastObject(
                    records, symbolSize: size, blocks: round % 3 == 0 ? nil : min(1 + round % 5, records.count),
                    redundancy: 0.5))
            // As many are lost of each block as it has parity symbols.
            var lost: Set<Int> = []
            for block in 0..<object.layout.blocks {
                let mine = (0..<object.count).filter { object.layout.place(of: $0)?.block == block }
                lost.formUnion(mine.shuffled(using: &random).prefix(object.rows))
            }
            repaired += lost.count { $0 < object.layout.dataCount }
            var sent = (0..<object.count).filter { !lost.contains($0) }
            sent += sent.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
            sent.shuffle(using: &random)
            var receiver = BroadcastReceiver()
            let found = Self.take(&receiver, sent.map { object.datagram($0).encoded })
            #expect(found.count == records.count && Set(found) == Set(records), "round \(round)")
            #expect(receiver.counts.objects == 1 && receiver.counts.refused == 0)
            // A second round of the carousel brings nothing again.
            let again = Self.take(&receiver, Self.datagrams(object))
            #expect(again.isEmpty)
        }
        #expect(repaired > 100)
    }

    @Test("beyond repair, all records are found whose bytes came, also behind a gap; the next round brings the rest")
    func beyondRepair() throws {
        let records = Self.records(40, seed: 5, sizes: 58...200)
        let object = try #require(BroadcastObject(records, symbolSize: 100, redundancy: 0))
        var receiver = BroadcastReceiver()
        let lost: Set<Int> = [0, 7, 8, 20]
        let came = (0..<object.count).filter { !lost.contains($0) }
        let found = Self.take(&receiver, came.map { object.datagram($0).encoded })
        var start = 0
        let whole = records.filter { record in
            let range = start..<start + ExchangeWriter.frame(record).count
            start = range.upperBound
            let size = object.layout.symbolSize
            let symbols = range.lowerBound / size...(range.upperBound - 1) / size
            return lost.isDisjoint(with: symbols)
        }
        #expect(whole.count > 25 && whole.count < records.count)
        #expect(Set(found) == Set(whole) && found.count == whole.count)
        let rest = Self.take(&receiver, Self.datagrams(object))
        #expect(Set(found + rest) == Set(records) && found.count + rest.count == records.count)
    }

    @Test("a burst as long as all parity of one block together costs nothing, where it lies across blocks")
    func burst() throws {
        let records = Self.records(30, seed: 6)
        let object = try #require(BroadcastObject(records, symbolSize: 150, blocks: 4, redundancy: 0.2))
        let burst = object.rows * 4
        for start in stride(from: 0, through: object.count - burst, by: 5) {
            var receiver = BroadcastReceiver()
            let came = (0..<object.count).filter { !(start..<start + burst).contains($0) }
            let found = Self.take(&receiver, came.map { object.datagram($0).encoded })
            #expect(Set(found) == Set(records), "burst at \(start)")
        }
    }

    @Test("symbols that somebody mixed in damage one round, and the next one is taken")
    func mixedIn() throws {
        let object = try #require(BroadcastObject(Self.records(5, seed: 7), symbolSize: 120, redundancy: 0.5))
        var forged = object.datagram(1)
        forged.bytes = forged.bytes.map { ~$0 }
        var receiver = BroadcastReceiver()
        _ = Self.take(&receiver, [forged.encoded] + Self.datagrams(object))
        #expect(receiver.counts.damaged == 1 && receiver.counts.objects == 0)
        let next = Self.take(&receiver, Self.datagrams(object))
        #expect(next.count == 5)
        #expect(receiver.counts.objects == 1)
        // The same id with another layout is another object's.
        var other = BroadcastReceiver()
        _ = Self.take(&other, [object.datagram(0).encoded])
        let cut = try #require(BroadcastObject(Self.records(5, seed: 7), symbolSize: 60, redundancy: 0.5))
        _ = Self.take(&other, [cut.datagram(0).encoded])
        #expect(cut.id == object.id && other.counts.refused == 1)
    }

    @Test("what is no record is left out: too short, too long, beyond the end, a varint that is not in its one form")
    func broken() throws {
        func found(_ bytes: [UInt8]) throws -> [[UInt8]] {
            let layout = try #require(BroadcastLayout(length: bytes.count, symbolSize: bytes.count, blocks: 1))
            let datagram = BroadcastDatagram(id: 1, layout: layout, number: 0, first: 0, bytes: bytes)
            var assembly = BroadcastAssembly(layout)
            return assembly.add(datagram)
        }
        let smallest = [UInt8](repeating: 5, count: 58)
        #expect(try found([58] + smallest) == [smallest])
        #expect(try found([57] + smallest.dropLast()).isEmpty)
        #expect(try found([59] + smallest).isEmpty)
        #expect(try found([0xBA, 0x00] + smallest).isEmpty)
        #expect(try found([0] + [58] + smallest).isEmpty)
        #expect(try found([0xFF, 0xFF, 0xFF, 0xFF]).isEmpty)
        #expect(try found([58] + smallest + [1]) == [smallest])
        // 65,600 bytes are the most, spread over symbols.
        for (size, isTaken) in [(65_600, true), (65_601, false)] {
            let bytes = Varint.bytes(UInt64(size)) + [UInt8](repeating: 3, count: size)
            let layout = try #require(BroadcastLayout(length: bytes.count, symbolSize: 5_000, blocks: 1))
            var assembly = BroadcastAssembly(layout)
            let records = (0..<layout.dataCount).flatMap { number in
                assembly.add(
                    BroadcastDatagram(
                        id: 1, layout: layout, number: number, first: number == 0 ? 0 : layout.size(of: number),
                        bytes: Array(bytes[layout.range(of: number)])))
            }
            #expect(records.map(\.count) == (isTaken ? [65_600] : []))
        }
    }

    @Test("20,000 mutated and random datagrams: memory stays within its bound, and what is honest still comes through")
    func fuzz() throws {
        var random = SeededGenerator(seed: 12)
        let limits = BroadcastReceiver.Limits(sourcesMax: 3, objectsMax: 4, heldMax: 20_000)
        var receiver = BroadcastReceiver(limits)
        let samples = try (0..<6).flatMap { seed -> [BroadcastDatagram] in
            let object = try #require(
                BroadcastObject(Self.records(4, seed: UInt64(seed)), symbolSize: 90, redundancy: 0.4))
            return (0..<object.count).map { object.datagram($0) }
        }
        for round in 0..<20_000 {
            var bytes = samples[round % samples.count].encoded
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[.random(in: 1..<bytes.count - 4, using: &random)] = .random(in: 0...255, using: &random)
            }
            // A right check lets it through to what reads the rest.
            let head = Array(bytes.dropLast(4))
            bytes = head + Datagram.bytes(CRC32C.checksum(head))
            let source = "s\(Int.random(in: 0..<6, using: &random))"
            for found in receiver.take(bytes, from: source, at: .seconds(round)) {
                guard (58...65_600).contains(found.bytes.count) else {
                    Issue.record("a record of \(found.bytes.count) bytes")
                    return
                }
            }
            guard receiver.held <= 3 * 20_000, receiver.objectCount <= 12 else {
                Issue.record("\(receiver.held) bytes in \(receiver.objectCount) objects")
                return
            }
        }
        #expect(receiver.counts.refused > 100 && receiver.counts.incomplete > 100)
        let records = Self.records(8, seed: 99)
        let object = try #require(BroadcastObject(records, symbolSize: 300, redundancy: 0.4))
        let found = Self.take(&receiver, Self.datagrams(object), from: "honest", at: .seconds(20_000))
        #expect(found == records)
    }

    @Test("a flood of fake objects from the same address, or from many, drops no object that has shown a known seal")
    func flood() throws {
        // Small, so that the object is proven by its first datagram.
        let records = [[UInt8](repeating: 1, count: 80)] + Self.records(10, seed: 3)
        let object = try #require(BroadcastObject(records, symbolSize: 300, redundancy: 0.4))
        let all = Self.datagrams(object)
        let limits = BroadcastReceiver.Limits(sourcesMax: 4, objectsMax: 3, heldMax: 60_000)
        var receiver = BroadcastReceiver(limits)
        var found: [[UInt8]] = []
        for (index, datagram) in all.enumerated() {
            let new = receiver.take(datagram, from: "honest", at: .seconds(index))
            for record in new { receiver.prove(record) }
            found += new.map(\.bytes)
            for fake in 0..<30 {
                let bytes = Self.fake(index * 30 + fake)
                _ = receiver.take(bytes, from: fake % 2 == 0 ? "honest" : "liar \(fake)", at: .seconds(index))
            }
        }
        #expect(found == records && receiver.counts.objects == 1)
        #expect(receiver.counts.incomplete > 100 && receiver.objectCount <= 12)
        // After a silence what is proven gives way, too.
        var quiet = BroadcastReceiver(BroadcastReceiver.Limits(sourcesMax: 1, objectsMax: 1))
        let first = quiet.take(all[0], from: "honest", at: .zero)
        quiet.prove(try #require(first.first))
        _ = quiet.take(Self.fake(1), from: "liar", at: .seconds(599))
        _ = quiet.take(Self.fake(1), from: "honest", at: .seconds(599))
        #expect(quiet.counts.refused == 2 && quiet.objectCount == 1)
        _ = quiet.take(Self.fake(1), from: "liar", at: .seconds(1_200))
        #expect(quiet.counts.refused == 2 && quiet.counts.incomplete == 1)
    }

    /// First datagram of an object of its own.
    private static func fake(_ number: Int) -> [UInt8] {
        BroadcastDatagramTests.checked([5_000, 500, 1, 0, 500], [UInt8](repeating: UInt8(number & 0xFF), count: 500))
            .withID(number)
    }

    @Test("an object of which a record could not be kept is taken anew in the next round, finished or not")
    func forgotten() throws {
        let records = Self.records(3, seed: 8)
        let object = try #require(BroadcastObject(records, symbolSize: 400, redundancy: 0))
        let all = Self.datagrams(object)
        for finished in [false, true] {
            var receiver = BroadcastReceiver()
            let found = all.prefix(finished ? all.count : all.count - 1).flatMap {
                receiver.take($0, from: "a", at: .zero)
            }
            receiver.forget(try #require(found.first))
            #expect(receiver.held == 0)
            let again = Self.take(&receiver, all)
            #expect(again == records)
        }
    }
}

extension [UInt8] {
    /// The datagram with another id and a right check.
    fileprivate func withID(_ id: Int) -> [UInt8] {
        var head = Array(dropLast(4))
        for index in 0..<8 { head[1 + index] = UInt8(truncatingIfNeeded: id >> (56 - 8 * index)) }
        return head + Datagram.bytes(CRC32C.checksum(head))
    }
}
