import GodwitProtocol
import Testing

@testable import GodwitCompression

/// D-9, COMP-03: texts by a model that is made here, and so the same everywhere.
@Suite("A phrase model")
struct PhraseModelTests {
    private func model() throws -> PhraseModel { try #require(PhraseModelFixture.model) }

    @Test("texts that it knows and texts that it does not come back, and are shorter")
    func roundTrip() throws {
        let model = try model()
        for line in PhraseModelFixture.lines + PhraseModelFixture.unseen {
            let text = Array(line.utf8)
            let packed = try #require(model.pack(text))
            #expect(packed.count < text.count)
            #expect(try model.unpack(packed) == text)
        }
    }

    @Test(
        "any script and any bytes come back",
        arguments: [
            "", "\0", "a", "\u{10FFFF}", "ok 👍🏽", "ꯍꯥꯌ", "שלום", "ありがとう", "ขอบคุณ", "ኢትዮጵያ", "Ærøskøbing", "e\u{301}",
            "\n\n\n",
            "\u{202E}abc", String(repeating: "ha", count: 200),
        ])
    func scripts(text: String) throws {
        let model = try model()
        let bytes = Array(text.utf8)
        #expect(try model.unpack(try #require(model.pack(bytes))) == bytes)
    }

    @Test("random bytes come back, at little more than their length", arguments: 0..<60)
    func noise(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let packed = try #require(try model().pack(bytes))
        #expect(packed.count <= bytes.count * 2 + 8)
        #expect(try model().unpack(packed) == bytes)
    }

    @Test("one text leaves no trace in the next")
    func undone() throws {
        let model = try model()
        let text = Array(PhraseModelFixture.unseen[0].utf8)
        let packed = try #require(model.pack(text))
        for line in PhraseModelFixture.lines { _ = model.pack(Array(line.utf8), quoting: text) }
        #expect(model.pack(text) == packed)
        #expect(try PhraseModel(file: PhraseModelFixture.file()).pack(text) == packed)
    }

    @Test("a quoted text makes what repeats it shorter, and is needed to read it")
    func quoting() throws {
        let model = try model()
        let quoted = Array("Kwame Nkrumah-Mbeki takes 14 boxes to Xanthippe".utf8)
        let text = Array("no, Kwame Nkrumah-Mbeki takes 15 boxes to Xanthippe".utf8)
        let packed = try #require(model.pack(text, quoting: quoted))
        let alone = try #require(model.pack(text))
        #expect(packed.count * 2 < alone.count)
        #expect(try model.unpack(packed, quoting: quoted) == text)
        #expect((try? model.unpack(packed)) != text)
    }

    @Test("every beginning of a code, and every code with a flipped bit, ends with a text or an error")
    func damaged() throws {
        let model = try model()
        let packed = try #require(model.pack(Array(PhraseModelFixture.unseen[1].utf8)))
        for count in 0..<packed.count { check(model, Array(packed[..<count])) }
        for bit in 0..<packed.count * 8 {
            var damaged = packed
            damaged[bit / 8] ^= 0x80 >> UInt8(bit % 8)
            check(model, damaged)
        }
    }

    @Test("random bytes read as something within the limit, or as an error", arguments: 0..<150)
    func fuzz(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed) &+ 77)
        let bytes = (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        check(try model(), bytes)
        check(try model(), [UInt8](repeating: UInt8(seed), count: 20))
    }

    private func check(_ model: PhraseModel, _ bytes: [UInt8]) {
        for limit in [0, 7, 80] {
            do throws(ProtocolError) {
                #expect(try model.unpack(bytes, limit: limit).count <= limit)
                #expect(try model.unpackContent(bytes, limit: limit).count <= limit)
            } catch {
                #expect(error.code == .invalidMessageFormat || error.code == .messageTooLarge)
            }
        }
    }

    @Test("the limit is met and not passed")
    func limit() throws {
        let model = try model()
        let text = Array(PhraseModelFixture.lines[0].utf8)
        let packed = try #require(model.pack(text))
        #expect(try model.unpack(packed, limit: text.count) == text)
        let error = #expect(throws: ProtocolError.self) { try model.unpack(packed, limit: text.count - 1) }
        #expect(error?.code == .messageTooLarge)
    }

    @Test("texts have at most 65,536 bytes")
    func longest() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: PhraseModel.textMax)
        let model = try model()
        let tooLong = model.pack(text + [0])?.count
        #expect(tooLong == nil)
        let packed = try #require(model.pack(text))
        #expect(packed.count < 2000)
        let isSame = try model.unpack(packed) == text
        #expect(isSame)
    }

    @Test("contents come back whatever stands before the text", arguments: 0..<8)
    func contents(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed) &+ 5)
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
        let text = Array(PhraseModelFixture.unseen[seed % 4].utf8)
        let field = [0x7A, UInt8(text.count)] + text
        let heads: [[UInt8]] = [
            [], [0x1A, 0x0A] + bytes(10), [0x08, 0x01], bytes(seed), bytes(255), bytes(256), [0x7A], [0x7A, 0x80],
        ]
        for head in heads {
            for content in [head + field, head, head + field.dropLast(), head + field + [1]] {
                let packed = try #require(try model().packContent(content))
                #expect(try model().unpackContent(packed, limit: content.count) == content)
                if !content.isEmpty {
                    #expect(throws: ProtocolError.self) { try model().unpackContent(packed, limit: content.count - 1) }
                }
            }
        }
    }

    @Test("fields of a plain message cost next to nothing, a reference its ten bytes")
    func overhead() throws {
        let model = try model()
        for line in PhraseModelFixture.unseen {
            let text = Array(line.utf8)
            let alone = try #require(model.pack(text)).count
            let plain = [0x7A, UInt8(text.count)] + text
            #expect(try #require(model.packContent(plain)).count <= alone + 1)
            let reference = (0..<10).map { UInt8($0 * 25) }
            #expect(try #require(model.packContent([0x1A, 0x0A] + reference + plain)).count <= alone + 12)
        }
    }
}
