import GodwitProtocol
import Testing

@testable import GodwitCompression

/// D-9: models of a site's own.
@Suite("Training of phrase models")
struct PhraseTrainerTests {
    @Test("the same texts make the same bytes")
    func deterministic() {
        let again = PhraseTrainer(PhraseModelFixture.settings).train(PhraseModelFixture.texts)
        #expect(again?.body == PhraseModelFixture.body)
        #expect(!PhraseModelFixture.body.isEmpty)
    }

    /// The same integers on every machine: these bytes are part of what the format promises.
    @Test(
        "codes of a tiny model stay as they are",
        arguments: [
            ("The generator is out of water, please send fuel.", "aeedfc9d985cf990"),
            ("the road to the clinic is open", "7bf27f28854db6d3a8"),
            ("Le convoi est arrivé.", "ef9936d17dec1ff16e9294"),
            ("我们需要药品。", "2a0fc866f1a20a8b24ce"),
        ])
    func vectors(text: String, code: String) throws {
        let model = try #require(PhraseModelFixture.model)
        let packed = Hex.encode(try #require(model.pack(Array(text.utf8))))
        #expect(packed == code)
        #expect(try model.unpack(try #require(Hex.decode(code))) == Array(text.utf8))
    }

    @Test("the body keeps to its size, down to where nothing but the fixed parts fits")
    func size() {
        let fixed = PhraseImage(buckets: 1, bits: 0).end
        var settings = PhraseModelFixture.settings
        for room in [65, 200, 1000] {
            settings.bytesMax = fixed + room
            let outcome = PhraseTrainer(settings).train(PhraseModelFixture.texts)
            #expect((outcome?.body.count ?? 0) <= settings.bytesMax)
            #expect(outcome != nil)
        }
        settings.bytesMax = fixed
        #expect(PhraseTrainer(settings).train(PhraseModelFixture.texts) == nil)
    }

    @Test("nothing to learn from makes no model")
    func nothing() {
        #expect(PhraseTrainer().train(TrainingTexts()) == nil)
    }

    @Test("one text is enough for a model that works")
    func one() throws {
        var texts = TrainingTexts()
        _ = texts.append(Array("water".utf8))
        let outcome = try #require(PhraseTrainer(PhraseModelFixture.settings).train(texts))
        let manifest = PhraseManifest(id: "one", number: 128, provenance: "", licence: "")
        let model = try PhraseModel(file: PhraseModelFile.make(body: outcome.body, manifest: manifest))
        let text = Array("no water".utf8)
        #expect(try model.unpack(try #require(model.pack(text))) == text)
    }

    @Test("texts end where the memory for them does")
    func room() {
        var texts = TrainingTexts()
        let half = [UInt8](repeating: 7, count: TrainingTexts.bytesMax / 2 - 1)
        let fits = [texts.append(half), texts.append(half), texts.append([])]
        #expect(fits == [true, true, false])
        #expect(texts.count == 2)
        #expect(texts.textBytes == TrainingTexts.bytesMax - 2)
    }

    @Test("prefix codes are complete, decodable and at most 10 bits long", arguments: 0..<30)
    func prefixCodes(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let counts = (0..<2 + Int(random.next() % 30)).map { _ in Int(1 << (random.next() % 30)) }
        let code = try #require(PrefixCode(counts: counts))
        let kraft = code.lengths.reduce(0) { $0 + (1 << (PrefixCode.lengthMax - Int($1))) }
        #expect(kraft == 1 << PrefixCode.lengthMax)
        var table = [UInt16](repeating: 0, count: 1 << PrefixCode.lengthMax)
        table.withUnsafeMutableBufferPointer { memory in memory.baseAddress.map(code.fill) }
        for symbol in counts.indices {
            let length = Int(code.lengths[symbol])
            #expect(table[Int(code.words[symbol]) << (PrefixCode.lengthMax - length)] == UInt16(symbol << 4 | length))
        }
        #expect(PrefixCode(lengths: [1, 1, 1]) == nil)
        #expect(PrefixCode(lengths: [11]) == nil)
    }
}
