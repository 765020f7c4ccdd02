import GodwitProtocol
import Testing

@testable import GodwitCompression

/// D-9, COMP-01, COMP-02.
@Suite("Packing of contents")
struct ContentCodecTests {
    @Test("noise is sent as it is, behind codec 0")
    func noise() throws {
        let bytes = (0..<40).map { UInt8(truncatingIfNeeded: $0 * 73 + 11) }
        #expect(try ContentCodec.pack(bytes) == [0] + bytes)
        #expect(try ContentCodec.pack([]) == [0])
    }

    @Test("long text takes Brotli where the readers know no primer")
    func longText() throws {
        let bytes = Array(String(repeating: "The pump at the well is broken. ", count: 40).utf8)
        let packed = try ContentCodec.pack(bytes, codecs: [.none, .brotli])
        #expect(packed.first == 1)
        #expect(packed.count < 80)
        #expect(try ContentCodec.unpack(packed) == bytes)
    }

    @Test("a common phrase takes the primer")
    func phrase() throws {
        let bytes = Array("Message received, thank you. We are leaving now.".utf8)
        let packed = try ContentCodec.pack(bytes)
        #expect(packed.first == 2)
        #expect(packed.count <= bytes.count / 2)
        #expect(try ContentCodec.unpack(packed) == bytes)
    }

    @Test("the packed form is never longer than the content and one byte, and is read back", arguments: 0..<200)
    func neverLonger(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let alphabet = Array("aeiou nrst.,üß水🙂".utf8)
        let bytes = (0..<Int(random.next() % 300)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
        let packed = try ContentCodec.pack(bytes)
        #expect(packed.count <= bytes.count + 1)
        #expect(try ContentCodec.unpack(packed) == bytes)
    }

    @Test("an unknown codec is refused with a hint", arguments: [3, 4, 255] as [UInt8])
    func unknown(codec: UInt8) {
        let error = #expect(throws: ProtocolError.self) { try ContentCodec.unpack([codec, 1, 2]) }
        #expect(error?.code == .invalidMessageFormat)
        #expect(error?.hint?.isEmpty == false)
        #expect(error?.details["codec"] == .integer(Int64(codec)))
    }

    @Test(
        "a model that is not at hand is refused with a hint, by number and in the short form",
        arguments: [[3, 7, 1], [16, 1], [207], [208], [239, 0]] as [[UInt8]])
    func unknownModel(bytes: [UInt8]) {
        let error = #expect(throws: ProtocolError.self) { try ContentCodec.unpack(bytes, models: PhraseModelLibrary()) }
        #expect(error?.code == .invalidMessageFormat)
        #expect(error?.hint?.contains("phrase model") == true)
        #expect(error?.details["codec"] == .integer(Int64(bytes[0])))
        #expect(error?.details["model"] == .integer(bytes[0] == 3 ? 7 : bytes[0] < 208 ? 1 : 128))
    }

    @Test("a site's model goes by codec 3 and its number, and only where the readers hold it")
    func siteModel() throws {
        let model = try #require(PhraseModelFixture.model)
        let library = try PhraseModelLibrary([model])
        let text = Array(PhraseModelFixture.lines[0].utf8)
        let content = [0x7A, UInt8(text.count)] + text
        let packed = try ContentCodec.pack(content, codecs: Set(ContentCodec.allCases), model: model)
        #expect(packed.starts(with: [3, 200]))
        #expect(try ContentCodec.unpack(packed, models: library) == content)
        #expect(try ContentCodec.pack(content, model: model)[0] != 3)
        #expect(try ContentCodec.pack(content, codecs: Set(ContentCodec.allCases))[0] != 3)
    }

    @Test("models 1 and 128 have a form without codec byte and number", arguments: [1, 128] as [UInt8])
    func shortForm(number: UInt8) throws {
        let model = try PhraseModel(file: PhraseModelFixture.file(number: number))
        let library = PhraseModelLibrary(trusting: model)
        let first = try #require(ContentCodec.shortForms[number])
        for line in PhraseModelFixture.lines + PhraseModelFixture.unseen {
            let text = Array(line.utf8)
            let content = [0x7A, UInt8(text.count)] + text
            let packed = try ContentCodec.pack(content, codecs: [.phraseModel], model: model)
            let plain = try #require(model.packContent(content))
            #expect(first.contains(packed[0]) && packed.count <= plain.count + 1)
            #expect(try ContentCodec.unpack(packed, models: library) == content)
        }
        #expect(throws: ProtocolError.self) { try ContentCodec.unpack([3, number, 2], models: library) }
    }

    @Test("first bytes are told apart: codecs, short forms, and those that nobody has yet")
    func firstBytes() {
        var owners = [UInt8: Int]()
        for byte in 0...255 as ClosedRange<UInt8> {
            owners[byte] =
                (ContentCodec(rawValue: byte) == nil ? 0 : 1)
                + ContentCodec.shortForms.values.count { $0.contains(byte) }
        }
        #expect(owners.values.allSatisfy { $0 <= 1 })
        #expect(owners.filter { $0.value == 0 }.keys.sorted() == Array(4...15) + Array(240...255))
    }

    @Test("a quoted text serves the reader that has it")
    func quoting() throws {
        let model = try #require(PhraseModelFixture.model)
        let library = try PhraseModelLibrary([model])
        let quoted = Array("Xanthippe has the 14 boxes of Kwame Nkrumah".utf8)
        let content = [0x7A, 30] + Array("Kwame Nkrumah has the 15 boxes".utf8)
        let packed = try ContentCodec.pack(content, codecs: [.phraseModel], model: model, quoting: quoted)
        #expect(packed[0] == 3)
        #expect(try ContentCodec.unpack(packed, models: library, quoting: quoted) == content)
        #expect(packed.count < (try ContentCodec.pack(content, codecs: [.phraseModel], model: model)).count)
    }

    @Test("no bytes at all are refused")
    func nothing() {
        #expect(throws: ProtocolError.self) { try ContentCodec.unpack([]) }
    }

    @Test("contents have at most 65,536 bytes")
    func limit() throws {
        let most = [UInt8](repeating: 7, count: ContentCodec.contentMax)
        #expect(try ContentCodec.unpack(ContentCodec.pack(most)) == most)
        #expect(throws: ProtocolError.self) { try ContentCodec.pack(most + [7]) }
        #expect(throws: ProtocolError.self) { try ContentCodec.unpack([0] + most + [7]) }
        let longer = try Brotli.compress(most + [7])
        #expect(throws: ProtocolError.self) { try ContentCodec.unpack([1] + longer) }
    }
}

/// D-9, ISO/IEC 7816-4.
@Suite("Padding")
struct PaddingTests {
    @Test("every length comes back, in steps of 8 from 16", arguments: Padding.allCases)
    func roundTrip(rule: Padding) throws {
        for count in 0..<1000 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) & 0x80 }
            let padded = rule.pad(bytes)
            #expect(padded.count >= 16 && padded.count % 8 == 0 && padded.count == rule.padded(count))
            #expect(try Padding.remove(from: padded) == bytes)
        }
    }

    @Test("tier 1 adds at most 8 bytes beyond the least length")
    func steps() {
        #expect(Padding.steps.padded(0) == 16)
        #expect(Padding.steps.padded(15) == 16)
        #expect(Padding.steps.padded(16) == 24)
        #expect(Padding.steps.padded(23) == 24)
        #expect(Padding.steps.padded(24) == 32)
    }

    @Test("Padmé gives the lengths of its paper, then up to 8")
    func padme() {
        // 9 → 10, 100 → 104, 1000 → 1024, 10,001 → 10,240: multiples of 2^(⌊log₂ L⌋ − ⌊log₂ ⌊log₂ L⌋⌋ − 1).
        #expect(Padding.padme.padded(99) == 104)
        #expect(Padding.padme.padded(999) == 1024)
        #expect(Padding.padme.padded(10_000) == 10_240)
        for count in 64..<20_000 { #expect(Padding.padme.padded(count) <= (count + 1) * 112 / 100 + 8) }
    }

    @Test("what is not padded so is refused")
    func strict() {
        let zeros = [UInt8](repeating: 0, count: 16)
        let wrong: [[UInt8]] = [
            [], [0x80], zeros, [1, 0x80] + zeros.dropFirst(3), [0x80] + zeros, zeros.dropLast() + [1],
            zeros.dropLast() + [0x81], [0x80] + [UInt8](repeating: 0, count: 7),
        ]
        for bytes in wrong {
            #expect(throws: ProtocolError.self) { try Padding.remove(from: bytes) }
        }
    }
}
