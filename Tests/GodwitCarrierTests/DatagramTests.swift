import GodwitBatch
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct DatagramTests {
    static func hex(_ text: String) throws -> [UInt8] { try #require(Hex.decode(text.filter { $0 != " " })) }

    @Test("the worked example of the protocol document has the bytes that stand there")
    func example() throws {
        var first = Datagram(id: 0x0102_0304, isFromAnswerer: false)
        first.number = 0
        first.asks = true
        first.opening = Datagram.Opening(rate: 9_600, callerRate: 9_600, roundTrip: 600, payloadMax: 1_472)
        first.chunks = [Datagram.Chunk(offset: 0, bytes: [0x02, 0x61, 0x62])]
        first.ends = true
        #expect(first.encoded == (try Self.hex("7c 01020304 00 804b 804b d804 c00b 00 026162")))

        var answer = Datagram(id: 0x0102_0304, isFromAnswerer: true)
        answer.number = 0
        answer.asks = true
        answer.acknowledgement = Datagram.Acknowledgement(largest: 0, depth: 0, missing: 0)
        answer.chunks = [Datagram.Chunk(offset: 0, bytes: [0x02, 0x63, 0x64])]
        answer.ends = true
        #expect(answer.encoded == (try Self.hex("77 01020304 00 00 01 00 026364")))

        var last = Datagram(id: 0x0102_0304, isFromAnswerer: false)
        last.acknowledgement = Datagram.Acknowledgement(largest: 0, depth: 0, missing: 0)
        #expect(last.encoded == (try Self.hex("42 01020304 00 01")))

        var repair = Datagram(id: 0x0102_0304, isFromAnswerer: false)
        repair.number = 9
        repair.acknowledgement = Datagram.Acknowledgement(largest: 6, depth: 4, missing: 0b0010)
        repair.credit = 393_216
        repair.chunks = [
            Datagram.Chunk(offset: 300, bytes: [0xAA, 0xBB]), Datagram.Chunk(offset: 4_000, bytes: [0xCC]),
        ]
        #expect(repair.encoded == (try Self.hex("d2 03 01020304 09 06 12 808018 ac02 02 aabb a01f cc")))

        let close = DatagramClose(
            id: 0x0102_0304, isFromAnswerer: true, error: ProtocolError(.rateLimited, "Busy.", hint: "Wait."))
        #expect(close.encoded(limit: 1_472) == (try Self.hex("81 01020304 0bba 05 427573792e 576169742e")))
        #expect(DatagramClose(id: 1, isFromAnswerer: false).encoded(limit: 36) == [0x80, 0, 0, 0, 1])
    }

    @Test("the exchange of the worked example is what two ends say")
    func exchanged() throws {
        let link = DatagramLink(.preset(.satellite))
        var caller = DatagramStream(role: .caller, id: 0x0102_0304, link: link, at: .zero)
        caller.write([0x02, 0x61, 0x62], at: .zero)
        caller.finish()
        let first = caller.said(at: .zero)
        #expect(first == (try Self.hex("7c 01020304 00 804b 804b d804 c00b 00 026162")))
        var answerer = DatagramStream(role: .answerer, id: 0x0102_0304, link: link, at: .zero)
        answerer.hear(first, at: .seconds(1))
        let request = answerer.read(at: .seconds(1))
        #expect(request == [0x02, 0x61, 0x62])
        answerer.write([0x02, 0x63, 0x64], at: .seconds(1))
        answerer.finish()
        let second = answerer.said(at: .seconds(1))
        #expect(second == (try Self.hex("77 01020304 00 00 01 00 026364")))
        caller.hear(second, at: .seconds(2))
        let reply = caller.read(at: .seconds(2))
        #expect(reply == [0x02, 0x63, 0x64] && caller.state == .done)
        let last = caller.said(at: .seconds(2))
        #expect(last == (try Self.hex("42 01020304 00 01")))
        answerer.hear(last, at: .seconds(3))
        #expect(answerer.state == .done)
    }

    @Test("what is one bit off its only form, or beyond a limit, is no datagram")
    func refused() throws {
        let wrong = [
            "", "40", "40 01020304", "00 01020304 00 01", "80 0102", "42 01020304 00", "42 01020304 00 00",
            // A depth beyond the largest number; something behind the end; a varint that is too long.
            "42 01020304 00 02", "42 01020304 00 01 00", "42 01020304 8000 01",
            // An end without a chunk; a chunk without bytes that is no end; an answerer that opens.
            "62 01020304 00 01", "50 01020304 00 00", "5d 01020304 00 804b 804b d804 c00b 00 61",
            // Extended for nothing; bits that mean nothing; more chunks than it has.
            "d0 00 01020304 00 00 61", "d0 11 01020304 00 00 61", "d0 02 01020304 00 00 61",
            // An opening without a number, and with values out of range.
            "4a 01020304 804b 804b d804 c00b 00 01", "5c 01020304 00 09 804b d804 c00b 00 61",
            "5c 01020304 00 804b 09 d804 c00b 00 61", "5c 01020304 00 804b 804b c1cf24 c00b 00 61",
            "5c 01020304 00 804b 804b d804 23 00 61", "5c 01020304 00 804b 804b d804 e4ff03 00 61",
            // A number and an offset of 2^40 and beyond.
            "50 01020304 808080808020 00 61", "50 01020304 00 808080808020 61",
        ]
        for text in wrong { #expect(Datagram(try Self.hex(text)) == nil, "\(text)") }
        let right = [
            "5c 01020304 00 0a 0a 00 24 00 61", "5c 01020304 00 80d0dbc3f402 804b c0cf24 e3ff03 00 61",
            "50 01020304 ffffffffff1f 00 61", "70 01020304 00 808080808020", "44 01020304 05",
        ]
        for text in right { #expect(Datagram(try Self.hex(text)) != nil, "\(text)") }
    }

    @Test("random and mutated datagrams are read in their one form or not at all")
    func random() {
        var random = SeededGenerator(seed: 1)
        var read = 0
        let samples = (0..<50).map { _ in Self.sample(&random).encoded }
        for sample in samples { #expect(Datagram(sample)?.encoded == sample) }
        for round in 0..<20_000 {
            var bytes = samples[round % samples.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(.random(in: 0...255, using: &random), at: index)
                default: bytes.removeLast(min(bytes.count - 1, index))
                }
                if bytes.isEmpty { bytes = [0x50] }
            }
            if let datagram = Datagram(bytes) {
                read += 1
                #expect(datagram.encoded == bytes)
            }
            if let close = DatagramClose(bytes) { #expect((close.error?.message.utf8.count ?? 0) <= 600) }
        }
        #expect(read > 1_000)
    }

    static func sample(_ random: inout SeededGenerator) -> Datagram {
        var datagram = Datagram(id: .random(in: 0 ... .max, using: &random), isFromAnswerer: .random(using: &random))
        datagram.asks = .random(using: &random)
        for _ in 0..<Int.random(in: 0...Datagram.chunksMax, using: &random) {
            datagram.chunks.append(
                Datagram.Chunk(
                    offset: .random(in: 0...100_000, using: &random),
                    bytes: [UInt8](repeating: 7, count: .random(in: 1...300, using: &random))))
        }
        datagram.ends = !datagram.chunks.isEmpty && .random(using: &random)
        if !datagram.chunks.isEmpty || datagram.asks { datagram.number = .random(in: 0...70_000, using: &random) }
        if datagram.chunks.isEmpty, .random(using: &random) {
            let number = Int.random(in: 40...70_000, using: &random)
            datagram.number = number
            datagram.parity = DatagramParity(
                last: number - .random(in: 1...20, using: &random), map: .random(in: 0...0xFFFF, using: &random) | 1,
                row: .random(in: 0...31, using: &random), share: .random(in: 1...100, using: &random),
                symbol: [UInt8](repeating: 7, count: .random(in: 8...300, using: &random)))
        }
        if !datagram.isFromAnswerer, datagram.number != nil, .random(using: &random) {
            datagram.opening = Datagram.Opening(rate: 2_400, callerRate: 64_000, roundTrip: 200, payloadMax: 472)
        }
        if datagram.number == nil || .random(using: &random) {
            let depth = Int.random(in: 0...62, using: &random)
            datagram.acknowledgement = Datagram.Acknowledgement(
                largest: depth + .random(in: 0...500, using: &random), depth: depth,
                missing: .random(in: 0 ... .max, using: &random) & ((1 << UInt64(depth)) - 1))
        }
        if .random(using: &random) { datagram.credit = .random(in: 0...1_000_000, using: &random) }
        return datagram
    }

    @Test("the texts of a close are cut at whole characters, and lose what steers a terminal")
    func closeTexts() throws {
        let error = ProtocolError(
            .internalError, String(repeating: "ü", count: 150), hint: "\u{1B}[31m" + String(repeating: "x", count: 300))
        let bytes = DatagramClose(id: 7, isFromAnswerer: true, error: error).encoded(limit: 1_472)
        let close = try #require(DatagramClose(bytes))
        #expect(close.error?.message == String(repeating: "ü", count: 100))
        #expect(close.error?.hint == "[31m" + String(repeating: "x", count: 195))
        #expect(close.error?.code == .internalError)
        for limit in 8...60 {
            let short = DatagramClose(id: 7, isFromAnswerer: true, error: error).encoded(limit: limit)
            #expect(short.count <= limit && DatagramClose(short)?.error?.code == .internalError)
        }
        // A number that nobody knows becomes 9000.
        #expect(DatagramClose([0x81, 0, 0, 0, 7, 0xFF, 0xFF, 0])?.error?.code == .internalError)
        #expect(DatagramClose([0x81, 0, 0, 0, 7, 0xFF]) == nil)
    }

    @Test("an acknowledgement tells every number three times, and all of them where it is asked")
    func acknowledgements() throws {
        var numbers = ReceivedNumbers()
        let fresh = [0, 1, 3, 1].map { numbers.insert($0) }
        #expect(fresh == [true, true, true, false])
        let first = try #require(numbers.acknowledgement(whole: false, room: 99))
        #expect(first == Datagram.Acknowledgement(largest: 3, depth: 3, missing: 0b001))
        #expect(first.has(3) == true && first.has(2) == false && first.has(0) == true && first.has(4) == nil)
        for _ in 0..<3 { numbers.tell(first) }
        #expect(numbers.acknowledgement(whole: false, room: 99)?.depth == 0)
        #expect(numbers.acknowledgement(whole: true, room: 99)?.depth == 3)
        // What comes late is told anew.
        let isLateNew = numbers.insert(2)
        #expect(isLateNew)
        #expect(numbers.acknowledgement(whole: false, room: 99)?.depth == 1)
        for number in 4...200 { _ = numbers.insert(number) }
        #expect(numbers.acknowledgement(whole: true, room: 99)?.depth == 62)
        #expect(numbers.acknowledgement(whole: true, room: 3)?.depth == 6)
        #expect(numbers.acknowledgement(whole: true, room: 2) == nil)
        let isAncientNew = numbers.insert(3)
        #expect(!isAncientNew)
    }
}
