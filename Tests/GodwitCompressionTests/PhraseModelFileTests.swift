import FoundationEssentials
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitCompression

/// D-9: what is loaded is what was made, or is refused.
@Suite("A model file")
struct PhraseModelFileTests {
    @Test("it is mapped from disk and says what it is")
    func mapped() throws {
        let file = try PhraseModelFixture.file()
        let path = "/tmp/godwit-model-\(UInt64.random(in: 0 ... .max)).gpm"
        try Data(file).write(to: URL(filePath: path))
        defer { unlink(path) }
        let model = try PhraseModel(path: path)
        #expect(model.manifest.id == "tiny")
        #expect(model.manifest.number == 200)
        #expect(model.manifest.digest == SHA256Digest.of(PhraseModelFixture.body))
        #expect(model.manifest.training == ["rounds": 1])
        let text = Array(PhraseModelFixture.unseen[0].utf8)
        #expect(try PhraseModelFixture.model?.unpack(try #require(model.pack(text))) == text)
    }

    @Test("every flipped bit of header and manifest is refused, and flipped bits of the body are")
    func flipped() throws {
        let file = try PhraseModelFixture.file()
        let start = file.count - PhraseModelFixture.body.count
        let bits = Array(0..<start * 8) + stride(from: start * 8, to: file.count * 8, by: 40_009)
        for bit in bits {
            var damaged = file
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: ProtocolError.self) { try PhraseModel(file: damaged) }
        }
    }

    @Test("a file cut short or with more behind it is refused")
    func cut() throws {
        let file = try PhraseModelFixture.file()
        for count in [0, 1, 7, 8, 55, 56, 100, 400, file.count / 2, file.count - 1] {
            #expect(throws: ProtocolError.self) { try PhraseModel(file: Array(file[..<count])) }
        }
        #expect(throws: ProtocolError.self) { try PhraseModel(file: file + [0]) }
    }

    @Test("other files, directories and missing ones are refused")
    func noModel() {
        for path in ["/dev/null", "/etc", "/nowhere/model.gpm", #filePath] {
            #expect(throws: ProtocolError.self) { try PhraseModel(path: path) }
        }
    }

    @Test("a file of 4,000,000 bytes may be, one more byte may not")
    func size() throws {
        let manifest = PhraseManifest(id: "big", number: 200, provenance: "", licence: "")
        let small = try PhraseModelFile.make(body: [0, 0, 0, 0, 0, 0, 0, 0], manifest: manifest)
        let room = PhraseModelFile.bytesMax - small.count + 8
        let largest = try PhraseModelFile.make(body: .init(repeating: 0, count: room), manifest: manifest)
        #expect(largest.count == PhraseModelFile.bytesMax)
        // Its size is right, its body is not: zeros are no tables.
        let error = #expect(throws: ProtocolError.self) { try PhraseModel(file: largest) }
        #expect(error?.code == .invalidMessageFormat)
        let tooLarge = #expect(throws: ProtocolError.self) {
            try PhraseModelFile.make(body: .init(repeating: 0, count: room + 1), manifest: manifest)
        }
        #expect(tooLarge?.code == .messageTooLarge)
        let refused = #expect(throws: ProtocolError.self) { try PhraseModel(file: largest + [0]) }
        #expect(refused?.code == .messageTooLarge)
    }

    @Test("a body whose digest is right but whose tables are not is refused, or read without harm", arguments: 0..<40)
    func hostileBody(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var body = PhraseModelFixture.body
        for _ in 0..<1 + seed % 9 * 40 {
            body[Int(random.next() % UInt64(body.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        let manifest = PhraseManifest(id: "odd", number: 200, provenance: "", licence: "")
        guard let model = try? PhraseModel(file: PhraseModelFile.make(body: body, manifest: manifest)) else { return }
        for line in PhraseModelFixture.unseen {
            let text = Array(line.utf8)
            // Both ends have the same tables, so even these code without loss.
            if let packed = model.pack(text) { #expect(try model.unpack(packed) == text) }
        }
    }
}

@Suite("The library of models")
struct PhraseModelLibraryTests {
    @Test("a model is found by its number")
    func found() throws {
        let library = try PhraseModelLibrary([try #require(PhraseModelFixture.model)])
        #expect(library.numbers == [200])
        #expect(library[200]?.manifest.id == "tiny")
        #expect(library[201] == nil)
        #expect(library.shipped == nil)
    }

    @Test("a number that is given away or taken is refused to another model")
    func taken() throws {
        for number in [1, 2, 127] as [UInt8] {
            let model = try PhraseModel(file: PhraseModelFixture.file(number: number))
            #expect(throws: ProtocolError.self) { try PhraseModelLibrary([model]) }
        }
        var body = PhraseModelFixture.body
        body[20] ^= 1
        let manifest = PhraseManifest(id: "other", number: 200, provenance: "", licence: "")
        let other = try PhraseModel(file: PhraseModelFile.make(body: body, manifest: manifest))
        let model = try #require(PhraseModelFixture.model)
        #expect(throws: ProtocolError.self) { try PhraseModelLibrary([model, other]) }
        #expect(try PhraseModelLibrary([model, model]).numbers == [200])
    }
}

/// The model in `models/`.
@Suite("The shipped model")
struct ShippedModelTests {
    private static let path = PrimerFiles().root.appending(path: "models/phrases-1.gpm").path

    @Test("it is the one that its number belongs to, and small enough")
    func digest() throws {
        let model = try PhraseModel(path: Self.path)
        #expect(model.manifest.number == PhraseModelLibrary.shippedNumber)
        #expect(Hex.encode(model.manifest.digest) == PhraseModelLibrary.assigned[1])
        #expect(model.manifest.provenance.contains("irc-disentanglement"))
        #expect(model.manifest.licence.contains("CC BY 4.0"))
        #expect(try PhraseModelLibrary([model]).shipped != nil)
    }

    @Test("tests find it above their executable")
    func isFound() {
        #expect(PhraseModelLibrary.shippedPath() != nil)
        #expect(PhraseModelLibrary.shared.shipped != nil)
    }

    @Test(
        "lines of chat and of field work take less than the bytes given",
        arguments: [
            ("anyone know how to mount a usb drive from the command line?", 16),
            ("I think you have to restart the network manager after that", 16),
            ("Two patients for transfer to the hospital, one is critical.", 16),
            ("Nous avons besoin d'eau et de médicaments.", 14),
            ("Мы доехали, всё хорошо.", 12),
        ])
    func sizes(line: String, most: Int) throws {
        let model = try PhraseModel(path: Self.path)
        let text = Array(line.utf8)
        let packed = try #require(model.pack(text))
        #expect(packed.count <= most, "\(packed.count)")
        #expect(try model.unpack(packed) == text)
    }
}
