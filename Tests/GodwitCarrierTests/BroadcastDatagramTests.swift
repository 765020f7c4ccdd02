import GodwitBatch
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct BroadcastDatagramTests {
    /// The sealed frame of docs/protocol.md §4.6.
    static let sealed =
        "0144d6f31d00000001ac02ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d595b833ff8716523cf31dd4dc0619b"
        + "6f3f9264df8cc2ae"

    @Test("the worked example: the datagrams of another implementation, and those of the protocol document")
    func example() throws {
        let record = try ErasureVectors.bytes(Self.sealed)
        let object = try #require(BroadcastObject([record], symbolSize: 22, redundancy: 0.3))
        #expect(object.count == 4)
        let document = try ErasureVectors.text("docs/protocol.md").filter { $0 != " " }
        let lines = try ErasureVectors.lines("example")
        #expect(lines.count == 4)
        for (number, line) in lines.enumerated() {
            #expect(Hex.encode(object.datagram(number).encoded) == line[0])
            #expect(document.contains(line[0]))
        }
    }

    @Test("an object of several records in three blocks has the datagrams of another implementation")
    func severalBlocks() throws {
        let records = try #require(try ErasureVectors.lines("records").first).map { try ErasureVectors.bytes($0) }
        let object = try #require(BroadcastObject(records, symbolSize: 40, blocks: 3, redundancy: 0.3))
        let lines = try ErasureVectors.lines("datagram")
        #expect(object.count == lines.count && object.rows == 4 && lines.count == 50)
        for (number, line) in lines.enumerated() {
            let datagram = object.datagram(number)
            #expect(Hex.encode(datagram.encoded) == line[0], "datagram \(number)")
            #expect(BroadcastDatagram(try ErasureVectors.bytes(line[0])) == datagram)
        }
    }

    @Test("it is told from every datagram of an exchange, and they from it")
    func kinds() throws {
        var random = SeededGenerator(seed: 2)
        let own = try #require(BroadcastObject([[UInt8](repeating: 1, count: 58)], symbolSize: 59, redundancy: 1))
        for number in 0..<own.count {
            let bytes = own.datagram(number).encoded
            #expect(Datagram(bytes) == nil && DatagramClose(bytes) == nil)
        }
        for _ in 0..<200 { #expect(BroadcastDatagram(DatagramTests.sample(&random).encoded) == nil) }
    }

    @Test("every flipped bit, truncation and added byte is found")
    func garbled() throws {
        let object = try #require(BroadcastObject([[UInt8](repeating: 9, count: 70)], symbolSize: 36, redundancy: 0.5))
        for number in [0, 1, 2] {
            let bytes = object.datagram(number).encoded
            for bit in 0..<bytes.count * 8 {
                var bad = bytes
                bad[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(BroadcastDatagram(bad) == nil)
            }
            for count in 0..<bytes.count { #expect(BroadcastDatagram(Array(bytes.prefix(count))) == nil) }
            #expect(BroadcastDatagram(bytes + [0]) == nil)
        }
    }

    /// A datagram with a right check, whatever else it says.
    static func checked(_ values: [Int], _ body: [UInt8], type: UInt8 = 0x11) -> [UInt8] {
        let head = [type] + [UInt8](repeating: 7, count: 8) + values.flatMap { Varint.bytes(UInt64($0)) } + body
        return head + Datagram.bytes(CRC32C.checksum(head))
    }

    @Test("limits, on both sides: length, symbol, blocks, number and the place of the first record")
    func limits() {
        func reads(_ values: [Int], _ size: Int, type: UInt8 = 0x11) -> Bool {
            BroadcastDatagram(Self.checked(values, [UInt8](repeating: 0, count: size), type: type)) != nil
        }
        // Length, symbol size, blocks, number, first; bytes of the symbol.
        #expect(reads([100, 50, 1, 0, 0], 50) && !reads([100, 50, 1, 0, 0], 50, type: 0x12))
        #expect(reads([1, 1, 1, 0, 0], 1) && !reads([0, 1, 1, 0, 0], 1) && !reads([1, 0, 1, 0, 0], 0))
        #expect(!reads([49, 50, 1, 0, 0], 49) && reads([50, 50, 1, 0, 0], 50))
        #expect(reads([1_048_576, 8_192, 1, 0, 0], 8_192) && !reads([1_048_577, 8_192, 1, 0, 0], 8_192))
        #expect(!reads([1_048_576, 8_193, 1, 0, 0], 8_193))
        #expect(reads([4_096, 1, 17, 0, 0], 1) && !reads([4_097, 1, 17, 0, 0], 1), "symbols")
        #expect(!reads([4_096, 1, 16, 0, 0], 1), "257 data symbols in a block")
        #expect(reads([255, 1, 1, 0, 0], 1) && !reads([256, 1, 1, 0, 0], 1))
        #expect(reads([10, 1, 10, 0, 0], 1) && !reads([10, 1, 11, 0, 0], 1) && !reads([10, 1, 0, 0, 0], 1))
        // 2 data symbols leave room for the parity symbols 2 to 254, which have no place of a first record.
        #expect(reads([100, 50, 1, 254], 50) && !reads([100, 50, 1, 255], 50) && !reads([100, 50, 1, 2, 0], 50))
        #expect(reads([100, 50, 1, 1, 50], 50) && !reads([100, 50, 1, 1, 51], 50))
        // The last symbol has what is left, parity symbols are whole.
        #expect(reads([99, 50, 1, 1, 0], 49) && !reads([99, 50, 1, 1, 0], 50) && reads([99, 50, 1, 2], 50))
    }

    @Test("records are put into objects in order, of about the length that is asked for, and fit their datagrams")
    func packing() throws {
        let records = (0..<40).map { [UInt8](repeating: UInt8($0), count: 900 + $0) }
        let cases: [(Int, Double)] = [(100, 0), (472, 0.3), (1_472, 1), (1_472, 3), (8_217, 0.3)]
        for (payload, redundancy) in cases {
            let objects = try BroadcastObject.pack(
                records, payloadMax: payload, length: 5_000, redundancy: redundancy)
            #expect(objects.count == 8)
            for object in objects {
                #expect(object.layout.length <= 5_000)
                let parity = Double(object.rows * object.layout.blocks)
                #expect(parity >= Double(object.layout.dataCount) * redundancy)
                for number in 0..<object.count {
                    let bytes = object.datagram(number).encoded
                    #expect(bytes.count <= payload && BroadcastDatagram(bytes)?.number == number)
                }
            }
        }
        let one = try BroadcastObject.pack(records, payloadMax: 1_472, length: 1_048_576, redundancy: 0)
        #expect(one.count == 1 && one[0].rows == 0 && one[0].count == one[0].layout.dataCount)
        #expect(try BroadcastObject.pack([], payloadMax: 1_472, length: 5_000, redundancy: 1).isEmpty)
    }

    @Test("a frame that fits no object of such small datagrams is refused; one byte less goes")
    func frameTooLarge() throws {
        // 4,096 symbols of 15 bytes are 61,440, three of which say the length.
        let fits = [[UInt8](repeating: 1, count: 61_437)]
        #expect(try BroadcastObject.pack(fits, payloadMax: 40, length: 4_096, redundancy: 0.3).count == 1)
        #expect(throws: ProtocolError.self) {
            try BroadcastObject.pack([fits[0] + [1]], payloadMax: 40, length: 4_096, redundancy: 0.3)
        }
    }

    @Test("blocks are as few as their parity leaves room for, and neighbours are of different ones")
    func blocks() throws {
        let record = [UInt8](repeating: 1, count: 60_000)
        let cases: [(Double, Int)] = [(0, 255), (0.3, 196), (1, 127), (3, 63)]
        for (redundancy, most) in cases {
            let object = try #require(BroadcastObject([record], symbolSize: 100, redundancy: redundancy))
            let largest = object.layout.dataCount(of: 0)
            #expect(largest <= most && object.layout.blocks == (601 + most - 1) / most)
            #expect(largest + object.rows <= 255)
            for number in 1..<object.count where object.layout.blocks > 1 {
                #expect(object.layout.place(of: number)?.block != object.layout.place(of: number - 1)?.block)
            }
            let places = (0..<object.count).compactMap { object.layout.place(of: $0) }
            #expect(Set(places).count == object.count, "each has a place of its own")
        }
    }
}
