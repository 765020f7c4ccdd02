import FoundationEssentials
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

/// What another implementation computed: Tests/Vectors/erasure.txt, made by make_erasure.py beside it.
enum ErasureVectors {
    static func lines(_ kind: String, file: String = #filePath) throws -> [[String]] {
        let lines = try text("Tests/Vectors/erasure.txt", file).split(separator: "\n").map { line in
            line.split(separator: " ").map(String.init)
        }
        return lines.filter { $0.first == kind }.map { Array($0.dropFirst()) }
    }

    /// A file of the checkout.
    static func text(_ path: String, _ file: String = #filePath) throws -> String {
        let root = file.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let bytes = try #require(FileManager.default.contents(atPath: root + "/" + path))
        return String(decoding: bytes, as: UTF8.self)
    }

    static func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }
}

@Suite struct ErasureCodeTests {
    private static func symbols(_ count: Int, size: Int, _ random: inout SeededGenerator) -> [[UInt8]] {
        (0..<count).map { _ in (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) } }
    }

    /// Hands over the symbols with these indices, data first, and returns the whole data.
    private static func recover(
        _ code: ErasureCode, _ data: [[UInt8]], _ parity: [[UInt8]], from kept: some Sequence<Int>
    ) -> [[UInt8]]? {
        var (known, rows) = ([Int: [UInt8]](), [Int: [UInt8]]())
        for index in kept {
            if index < data.count {
                known[index] = data[index]
            } else {
                rows[index - data.count] = parity[index - data.count]
            }
        }
        guard let lost = code.recover(known: known, parity: rows, size: data[0].count) else { return nil }
        return data.indices.compactMap { known[$0] ?? lost[$0] }
    }

    @Test("products are those of polynomials modulo 0x11D, and every value but 0 has its inverse")
    func field() {
        for one in 0..<256 {
            for other in 0..<256 {
                var product = (0..<8).reduce(0) { $0 ^ (other >> $1 & 1 == 1 ? one << $1 : 0) }
                for bit in stride(from: 14, to: 7, by: -1) where product >> bit & 1 == 1 {
                    product ^= 0x11D << (bit - 8)
                }
                guard GaloisField.product(UInt8(one), UInt8(other)) == UInt8(product) else {
                    Issue.record("\(one) times \(other)")
                    return
                }
            }
        }
        for value in UInt8(1)...255 { #expect(GaloisField.product(value, GaloisField.inverse(value)) == 1) }
    }

    @Test("parity symbols are those that another implementation, and ISA-L, compute")
    func vectors() throws {
        let lines = try ErasureVectors.lines("parity")
        #expect(lines.count == 8)
        for line in lines {
            let numbers = line.prefix(3).compactMap { Int($0) }
            let (count, rows, size) = (numbers[0], numbers[1], numbers[2])
            let data = try ErasureVectors.bytes(line[3])
            let code = ErasureCode(dataCount: count)
            let symbols = (0..<count).map { Array(data[$0 * size..<($0 + 1) * size]) }
            let parity = (0..<rows).flatMap { code.parity($0, of: symbols, size: size) }
            #expect(parity == (try ErasureVectors.bytes(line[4])), "\(count) and \(rows)")
        }
    }

    @Test("any k of k + m symbols give the data back, and k - 1 never: every pattern of small blocks")
    func everyPattern() {
        var random = SeededGenerator(seed: 3)
        var patterns = 0
        for count in 1...6 {
            for rows in 0...5 {
                let code = ErasureCode(dataCount: count)
                let data = Self.symbols(count, size: 3, &random)
                let parity = (0..<rows).map { code.parity($0, of: data, size: 3) }
                for pattern in 0..<1 << (count + rows) {
                    let kept = (0..<count + rows).filter { pattern >> $0 & 1 == 1 }
                    let found = Self.recover(code, data, parity, from: kept)
                    #expect(found == (kept.count >= count ? data : nil), "\(count) + \(rows), kept \(kept)")
                    patterns += 1
                }
            }
        }
        #expect(patterns == (2 + 4 + 8 + 16 + 32 + 64) * (1 + 2 + 4 + 8 + 16 + 32))
    }

    @Test("the largest blocks: 255 symbols in all, half of them lost, and one data symbol beside 254 parity symbols")
    func limits() {
        var random = SeededGenerator(seed: 4)
        for (count, rows) in [(1, 254), (128, 127), (254, 1), (200, 55)] {
            let code = ErasureCode(dataCount: count)
            #expect(code.parityMax == rows)
            let data = Self.symbols(count, size: 2, &random)
            let parity = (0..<rows).map { code.parity($0, of: data, size: 2) }
            for _ in 0..<3 {
                let kept = (0..<count + rows).shuffled(using: &random).prefix(count)
                #expect(Self.recover(code, data, parity, from: kept) == data)
            }
            #expect(Self.recover(code, data, parity, from: (rows..<count + rows)) == data)
        }
        #expect(ErasureCode(dataCount: 255).parityMax == 0)
    }

    @Test("a short data symbol counts as if zero bytes followed")
    func short() {
        let code = ErasureCode(dataCount: 2)
        #expect(
            code.parity(0, of: [[1, 2, 3], [4]], size: 3) == code.parity(0, of: [[1, 2, 3], [4, 0, 0]], size: 3))
    }
}
