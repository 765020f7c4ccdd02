import GodwitProtocol
import Testing

@testable import GodwitCompression

#if canImport(Glibc)
    import Glibc
#endif

/// COMP-02, G-75.
@Suite("The shipped primers")
struct ShippedPrimerTests {
    /// `make primers` sets the variable: then the files are made instead of compared.
    private static let writes = getenv("GODWIT_WRITE_PRIMERS") != nil

    @Test("primers are made from their texts on demand", .enabled(if: writes))
    func write() throws {
        try PrimerFiles().writeAll()
    }

    @Test(
        "each is the one that its file, its manifest and its digest say", .disabled(if: writes),
        arguments: PrimerFiles.names)
    func matchesItsFiles(name: String) throws {
        let files = PrimerFiles()
        let primer = try #require(name == "envelope" ? BrotliPrimer.envelope : BrotliPrimer.phrases)
        let prefix = try files.read(name + ".prefix")
        let text = try files.read(name + ".txt")
        #expect(primer.prefix == prefix)
        #expect(primer.text == text)
        #expect(primer.digest == SHA256Digest.of(prefix))
        #expect(primer.name == name)
        let manifest: JSONObject = try JSONObject.parse(files.read(name + ".json"))
        #expect(manifest == files.manifest(name, text: text, prefix: prefix))
    }

    @Test("this machine's encoder makes the shipped prefixes", .disabled(if: writes))
    func encoderAgrees() throws {
        #expect(try #require(BrotliPrimer.envelope).canCompress)
        #expect(try #require(BrotliPrimer.phrases).canCompress)
    }

    @Test("the envelope primer makes a protocol object far shorter than Brotli alone", .disabled(if: writes))
    func envelopeHelps() throws {
        let object: JSONObject = [
            "action": "join", "channel": "#relief/water", "channel_node": "a7f3k9m2", "device": "abcdefgh",
            "role": "member", "timestamp": "2026-11-21T10:30:00.123Z", "type": "membership",
            "user": "b8x1n5p4.bob", "version": 3,
        ]
        let bytes = object.canonicalBytes()
        let primed = try #require(BrotliPrimer.envelope?.compress(bytes))
        let plain = try Brotli.compress(bytes, quality: 11)
        #expect(primed.count * 10 <= plain.count * 8, "\(primed.count) of \(plain.count) bytes")
        #expect(try BrotliPrimer.envelope?.decompress(primed, limit: bytes.count) == bytes)
    }

    @Test(
        "the phrases primer shortens common talk in several languages", .disabled(if: writes),
        arguments: [
            "I will call you back when we get there, the road is closed.",
            "Nous sommes arrivés, la route est fermée à cause de la pluie.",
            "¿Dónde estás ahora? Necesitamos más agua y medicina.",
            "Tafadhali tuma maji, barabara imefungwa.",
            "أين أنت الآن؟ نحتاج إلى ماء",
        ])
    func phrasesHelp(text: String) throws {
        let bytes = Array(text.utf8)
        let primed = try #require(BrotliPrimer.phrases?.compress(bytes))
        let plain = try Brotli.compress(bytes, quality: 11)
        #expect(primed.count < min(plain.count, bytes.count), "\(primed.count) of \(bytes.count) bytes")
        #expect(try BrotliPrimer.phrases?.decompress(primed, limit: bytes.count) == bytes)
    }
}
