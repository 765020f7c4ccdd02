import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct DatagramParityTests {
    private static let owner = ParitySymbol.Owner(id: 0x0102_0304, isFromAnswerer: false)

    private typealias Content = ParityReceiver.Content

    private static func content(_ number: Int, _ bytes: [UInt8], at offset: Int, ends: Bool = false) -> Content {
        Content(number: number, chunks: [Datagram.Chunk(offset: offset, bytes: bytes)], ends: ends)
    }

    /// Numbers from `first` on, of different sizes.
    private static func contents(_ count: Int, first: Int = 0, _ random: inout SeededGenerator) -> [Content] {
        (first..<first + count).map { number in
            let size = Int.random(in: 1...40, using: &random)
            return content(number, (0..<size).map { _ in .random(in: 0...255, using: &random) }, at: number * 50)
        }
    }

    private static func parity(
        _ contents: [Content], row: Int, owner: ParitySymbol.Owner = owner, size: Int? = nil
    ) -> DatagramParity {
        let symbols = contents.map {
            ParitySymbol.bytes($0.chunks, ends: $0.ends, number: $0.number, of: owner)
        }
        let last = contents.last?.number ?? 0
        return DatagramParity(
            last: last, map: contents.reduce(0) { $0 | 1 << UInt64(last - $1.number) }, row: row, share: 50,
            symbol: ErasureCode(dataCount: symbols.count)
                .parity(row, of: symbols, size: size ?? symbols.map(\.count).max() ?? 0))
    }

    @Test("parity datagrams are those that another implementation makes: the protocol's example, and one with holes")
    func vectors() throws {
        let example = [
            Self.content(3, [0xAA, 0xBB, 0xCC], at: 100), Self.content(4, [0xDD], at: 103, ends: true),
        ]
        var datagram = Datagram(id: 0x0102_0304, isFromAnswerer: false)
        datagram.number = 5
        datagram.asks = true
        datagram.parity = Self.parity(example, row: 0)
        let line = try #require(try ErasureVectors.lines("exchange").first)
        #expect(datagram.encoded == (try ErasureVectors.bytes(line[0])))
        // As it stands in docs/protocol.md §8.2.
        let text = try ErasureVectors.text("docs/protocol.md").filter { $0 != " " }
        #expect(text.contains("\n\("parity")\(line[0])"))

        let contents = try ErasureVectors.lines("covered").map { line in
            let chunks = try line.dropFirst(2).map { chunk in
                let parts = chunk.split(separator: ":").map(String.init)
                return Datagram.Chunk(
                    offset: try #require(Int(parts[0])), bytes: try ErasureVectors.bytes(parts[1]))
            }
            return Content(number: try #require(Int(line[0])), chunks: chunks, ends: line[1] == "1")
        }
        let answerer = ParitySymbol.Owner(id: 0x0102_0304, isFromAnswerer: true)
        var receiver = ParityReceiver()
        var rebuilt: [Content] = []
        // Three of five are missing, and three rows bring them back.
        for content in contents[1...2] { rebuilt += receiver.keep(content, largest: 160, of: answerer) }
        for (row, line) in try ErasureVectors.lines("rows").enumerated() {
            let bytes = try ErasureVectors.bytes(line[0])
            let read = try #require(Datagram(bytes))
            #expect(read.encoded == bytes && read.number == 161 + row && rebuilt.isEmpty)
            let parity = try #require(read.parity)
            #expect(parity.covered == contents.map(\.number) && parity.row == row && parity.share == 60)
            #expect(parity.symbol == Self.parity(contents, row: row, owner: answerer).symbol)
            rebuilt += receiver.take(parity, largest: 161 + row, of: answerer)
        }
        #expect(rebuilt == [contents[0], contents[3], contents[4]])
    }

    @Test("what is one bit off its only form, or reaches beyond a limit, is no datagram")
    func refused() throws {
        let symbol = "0102030405060708"
        let wrong = [
            // With a chunk; with further chunks; with the end of the stream; without a number's asking bit it has one.
            "d0 10 01020304 05 01 03 00 32 \(symbol)", "c0 12 01020304 05 01 03 00 32 \(symbol)",
            "e0 10 01020304 05 01 03 00 32 \(symbol)", "c0 10 01020304 01 03 00 32 \(symbol)",
            // Bits that mean nothing yet.
            "c0 30 01020304 05 01 03 00 32 \(symbol)", "c0 90 01020304 05 01 03 00 32 \(symbol)",
            // It covers itself, or what comes after; nothing; the last number not; more than there can be.
            "c0 10 01020304 05 00 03 00 32 \(symbol)", "c0 10 01020304 05 01 00 00 32 \(symbol)",
            "c0 10 01020304 05 01 02 00 32 \(symbol)", "c0 10 01020304 05 05 03 00 32 \(symbol)",
            // 33 numbers; the 64th before its own; a distance of 64.
            "c0 10 01020304 c801 01 ffffffff1f 00 32 \(symbol)", "c0 10 01020304 c801 3f 03 00 32 \(symbol)",
            "c0 10 01020304 c801 40 01 00 32 \(symbol)",
            // Row 32; a share of 0 and of 101; a symbol of 7 bytes.
            "c0 10 01020304 05 01 03 20 32 \(symbol)", "c0 10 01020304 05 01 03 00 00 \(symbol)",
            "c0 10 01020304 05 01 03 00 65 \(symbol)", "c0 10 01020304 05 01 03 00 32 01020304050607",
        ]
        for text in wrong { #expect(Datagram(try DatagramTests.hex(text)) == nil, "\(text)") }
        let right = [
            "c0 10 01020304 05 01 03 00 32 \(symbol)", "c0 11 01020304 05 09 01 03 00 32 \(symbol)",
            "c0 10 01020304 c801 01 ffffffff0f 00 32 \(symbol)", "c0 10 01020304 c801 3e 03 00 32 \(symbol)",
            "c0 10 01020304 c801 3f 01 00 32 \(symbol)", "c0 10 01020304 05 04 03 1f 64 \(symbol)",
            "c0 10 01020304 05 05 01 00 01 \(symbol)",
        ]
        for text in right {
            let bytes = try DatagramTests.hex(text)
            #expect(Datagram(bytes)?.encoded == bytes, "\(text)")
        }
    }

    @Test("as many rows as datagrams are missing bring them back, one less brings nothing, in whatever order they come")
    func everyPattern() {
        var random = SeededGenerator(seed: 5)
        for count in 1...6 {
            let contents = Self.contents(count, first: 10, &random)
            for missing in 1..<1 << count {
                let lost = contents.indices.filter { missing >> $0 & 1 == 1 }
                enum Event { case content(Content), row(Int) }
                var events = contents.indices.filter { !lost.contains($0) }.map { Event.content(contents[$0]) }
                events += lost.indices.map { Event.row($0) }
                events.shuffle(using: &random)
                var receiver = ParityReceiver()
                for (index, event) in events.enumerated() {
                    let rebuilt =
                        switch event {
                        case .content(let content): receiver.keep(content, largest: 20, of: Self.owner)
                        case .row(let row):
                            receiver.take(Self.parity(contents, row: row), largest: 20, of: Self.owner)
                        }
                    let expected = index == events.count - 1 ? lost.map { contents[$0] } : []
                    #expect(rebuilt == expected, "\(count), \(missing)")
                }
                #expect(receiver.waitingGroups == 0)
                // What comes after all is nothing new.
                #expect(receiver.take(Self.parity(contents, row: 9), largest: 20, of: Self.owner).isEmpty)
                #expect(receiver.waitingGroups == 0)
            }
        }
    }

    @Test(
        "one bit that is wrong anywhere, in parity or in what it covers, brings nothing back instead of something wrong"
    )
    func garbled() {
        var random = SeededGenerator(seed: 6)
        let contents = Self.contents(4, &random)
        let right = Self.parity(contents, row: 0)
        for bit in 0..<right.symbol.count * 8 {
            var parity = right
            parity.symbol[bit / 8] ^= 1 << UInt8(bit % 8)
            var receiver = ParityReceiver()
            for content in contents.dropLast() { _ = receiver.keep(content, largest: 4, of: Self.owner) }
            #expect(receiver.take(parity, largest: 4, of: Self.owner).isEmpty)
            // Nor does it stand in the way of what is right.
            #expect(receiver.take(right, largest: 5, of: Self.owner) == [contents[3]])
        }
        for bit in 0..<contents[0].chunks[0].bytes.count * 8 {
            var wrong = contents[0]
            wrong.chunks[0].bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            var receiver = ParityReceiver()
            for content in [wrong] + contents[1...2] { _ = receiver.keep(content, largest: 4, of: Self.owner) }
            #expect(receiver.take(right, largest: 4, of: Self.owner).isEmpty)
        }
        // Parity of another exchange, of the other direction, over other numbers.
        for owner in [
            ParitySymbol.Owner(id: 1, isFromAnswerer: false),
            ParitySymbol.Owner(id: Self.owner.id, isFromAnswerer: true),
        ] {
            var receiver = ParityReceiver()
            for content in contents.dropLast() { _ = receiver.keep(content, largest: 4, of: Self.owner) }
            #expect(receiver.take(Self.parity(contents, row: 0, owner: owner), largest: 4, of: Self.owner).isEmpty)
        }
    }

    @Test(
        "parity whose size does not fit what it covers is left out, and a row that contradicts the size takes its place"
    )
    func sizes() {
        var random = SeededGenerator(seed: 7)
        let contents = Self.contents(5, &random)
        var receiver = ParityReceiver()
        for content in contents.dropLast(2) { _ = receiver.keep(content, largest: 5, of: Self.owner) }
        var short = Self.parity(contents, row: 0)
        short.symbol.removeLast(4)
        #expect(receiver.take(short, largest: 5, of: Self.owner).isEmpty && receiver.waitingGroups == 1)
        #expect(receiver.take(Self.parity(contents, row: 0), largest: 6, of: Self.owner).isEmpty)
        #expect(receiver.waitingGroups == 1)
        // The same row twice counts once.
        #expect(receiver.take(Self.parity(contents, row: 0), largest: 6, of: Self.owner).isEmpty)
        #expect(receiver.take(Self.parity(contents, row: 1), largest: 7, of: Self.owner) == Array(contents.suffix(2)))
    }

    @Test(
        "a receiver keeps 64 KiB of datagrams, as much of parity in four groups, and nothing further back than 63 numbers"
    )
    func limits() {
        var random = SeededGenerator(seed: 8)
        let contents = Self.contents(2, &random)
        for (largest, isKept) in [(63, true), (64, false)] {
            var receiver = ParityReceiver()
            _ = receiver.keep(contents[0], largest: largest, of: Self.owner)
            let rebuilt = receiver.take(Self.parity(contents, row: 0), largest: largest, of: Self.owner)
            #expect(rebuilt == (isKept ? [contents[1]] : []))
        }
        var receiver = ParityReceiver()
        for number in 0..<60 {
            _ = receiver.keep(
                Self.content(number, [UInt8](repeating: 1, count: 4_079), at: 0), largest: 59, of: Self.owner)
            #expect(receiver.keptBytes == min(number + 1, 16) * 4_096)
        }
        // Two of each group are missing, so its parity waits.
        func wait(_ group: Int, row: Int = 0, size: Int) {
            let contents = Self.contents(2, first: 100 + 2 * group, &random)
            _ = receiver.take(Self.parity(contents, row: row, size: size), largest: 120, of: Self.owner)
        }
        for group in 0..<10 {
            wait(group, size: 100)
            #expect(receiver.waitingGroups == min(group + 1, ParityReceiver.groupsMax))
        }
        wait(10, size: 65_100)
        #expect(receiver.waitingBytes == 65_400)
        wait(11, size: 65_536)
        #expect(receiver.waitingBytes == 65_536 && receiver.waitingGroups == 1)
        wait(12, size: 65_537)
        #expect(receiver.waitingBytes == 0)
    }
}
