import GodwitProtocol
import Testing

@testable import GodwitCompression

/// G-75, COMP-02.
@Suite("A primer")
struct BrotliPrimerTests {
    private func make(_ text: String) throws -> BrotliPrimer {
        let prefix = try #require(BrotliPrimer.prefix(of: Array(text.utf8)))
        return try BrotliPrimer(name: "test", prefix: prefix, digest: SHA256Digest.of(prefix))
    }

    @Test("prefix and suffix together are one ordinary Brotli stream")
    func ordinaryStream() throws {
        let primer = try make("the generator is out of fuel, the generator is out of fuel")
        let bytes = Array("the generator is out of fuel again".utf8)
        let suffix = try #require(primer.compress(bytes))
        #expect(suffix.count < bytes.count / 2)
        #expect(try Brotli.decompress(primer.prefix + suffix, limit: 1000) == primer.text + bytes)
        #expect(try primer.decompress(suffix, limit: bytes.count) == bytes)
    }

    @Test("the limit counts what was sent, not the primer")
    func limit() throws {
        let primer = try make(String(repeating: "water fuel food ", count: 100))
        let bytes = BrotliTests.sample(100, seed: 4)
        let suffix = try #require(primer.compress(bytes))
        #expect(try primer.decompress(suffix, limit: 100) == bytes)
        let error = #expect(throws: ProtocolError.self) { try primer.decompress(suffix, limit: 99) }
        #expect(error?.code == .messageTooLarge)
    }

    @Test("an empty input has a suffix")
    func empty() throws {
        let primer = try make("water")
        #expect(try primer.decompress(try #require(primer.compress([])), limit: 0) == [])
    }

    @Test("another prefix than the digest names is refused")
    func digest() throws {
        let prefix = try #require(BrotliPrimer.prefix(of: Array("water".utf8)))
        #expect(throws: ProtocolError.self) {
            try BrotliPrimer(name: "test", prefix: prefix + [0], digest: SHA256Digest.of(prefix))
        }
    }

    @Test("what is no beginning of a stream is refused")
    func notABeginning() throws {
        let ended = try Brotli.compress(Array("water".utf8))
        for prefix in [ended, [0xFF, 0xFF, 0xFF]] {
            #expect(throws: ProtocolError.self) {
                try BrotliPrimer(name: "test", prefix: prefix, digest: SHA256Digest.of(prefix))
            }
        }
    }

    @Test("an encoder that makes another prefix writes nothing with it, but reads what others wrote")
    func foreignEncoder() throws {
        // The same text as another version might compress it.
        guard var other = BrotliEncoder(quality: 9, window: 20) else {
            Issue.record("no encoder")
            return
        }
        let text = Array("water, fuel and food".utf8)
        let foreign = other.flush(text) ?? []
        let primer = try BrotliPrimer(name: "test", prefix: foreign, digest: SHA256Digest.of(foreign))
        #expect(primer.text == text)
        #expect(!primer.canCompress)
        #expect(primer.compress([1, 2, 3]) == nil)
        let suffix = other.finish(Array("fuel and water".utf8)) ?? []
        #expect(try primer.decompress(suffix, limit: 14) == Array("fuel and water".utf8))
    }

    @Test("a primer's text has at most 32,768 bytes")
    func textLimit() throws {
        let most = try make(String(repeating: "a", count: 32_768))
        #expect(most.text.count == 32_768)
        #expect(throws: ProtocolError.self) { try make(String(repeating: "a", count: 32_769)) }
    }
}
