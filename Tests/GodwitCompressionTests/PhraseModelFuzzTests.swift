import GodwitProtocol
import Testing

@testable import GodwitCompression

/// Decoding any byte string ends within its limits and never crashes (issue 3), by the model that is shipped.
@Suite("Codes that nobody wrote")
struct PhraseModelFuzzTests {
    private static let model: PhraseModel? = {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return try? PhraseModel(path: root + "/models/phrases-1.gpm")
    }()

    /// - Returns: the text, if there is one.
    @discardableResult
    private static func check(_ code: [UInt8], limit: Int, quoting: [UInt8]? = nil) throws -> [UInt8]? {
        let model = try #require(model)
        do throws(ProtocolError) {
            let text = try model.unpack(code, quoting: quoting, limit: limit)
            #expect(text.count <= limit)
            return text
        } catch {
            #expect([.invalidMessageFormat, .messageTooLarge].contains(error.code))
            return nil
        }
    }

    @Test("random bytes of every length from 0 to 300, as texts and as contents", arguments: 0..<3 as Range<UInt64>)
    func noise(seed: UInt64) throws {
        let model = try #require(Self.model)
        var random = SplitMix(seed: seed)
        for count in 0...300 {
            let code = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 24) }
            for limit in count % 25 == 0 ? [0, 1, 2_000] : [0, 150] {
                if let text = try Self.check(code, limit: limit) {
                    // Whatever it says, it can be said again.
                    let packed = try #require(model.pack(text))
                    #expect(try Self.check(packed, limit: text.count) == text)
                }
                do throws(ProtocolError) {
                    #expect(try model.unpackContent(code, limit: limit).count <= limit)
                } catch { #expect([.invalidMessageFormat, .messageTooLarge].contains(error.code)) }
            }
        }
    }

    @Test(
        "one byte over and over, of every length from 0 to 300", arguments: [0, 1, 0x7F, 0x80, 0xFE, 0xFF] as [UInt8])
    func monotone(byte: UInt8) throws {
        for count in 0...300 { try Self.check([UInt8](repeating: byte, count: count), limit: 200) }
    }

    @Test("the longest texts that a code can mean end at 65,536 bytes", arguments: [0, 0x55, 0xAA, 0xFF] as [UInt8])
    func longest(byte: UInt8) throws {
        let code = [UInt8](repeating: byte, count: 4_000)
        _ = try Self.check(code, limit: PhraseModel.textMax)
    }

    @Test("2,000 codes of texts, bent: a text or an error, and the next code is read as if nothing had been")
    func mutants() throws {
        let model = try #require(Self.model)
        var random = SplitMix(seed: 99)
        func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let lines = (PhraseModelFixture.lines + PhraseModelFixture.unseen).map { Array($0.utf8) }
        let codes = try lines.map { try #require(model.pack($0)) }
        for round in 0..<2_000 {
            var code = codes[round % codes.count]
            for _ in 0...below(3) {
                switch below(4) {
                case 0 where !code.isEmpty: code[below(code.count)] ^= 1 << UInt8(below(8))
                case 1 where !code.isEmpty: code.remove(at: below(code.count))
                case 2: code.insert(UInt8(below(256)), at: below(code.count + 1))
                default: code += codes[below(codes.count)].prefix(below(9))
                }
            }
            try Self.check(code, limit: 200)
            try Self.check(code, limit: 200, quoting: lines[below(lines.count)])
            if round % 100 == 0 {
                for (line, code) in zip(lines, codes) { #expect(try model.unpack(code, limit: line.count) == line) }
            }
        }
    }
}
