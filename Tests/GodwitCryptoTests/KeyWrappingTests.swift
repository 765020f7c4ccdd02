import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// A machine's key under a passphrase (G-11, SEC-01).
@Suite struct KeyWrappingTests {
    private let key = Secret(Array(0..<32))

    private func wrap(purpose: String = "a key") throws -> JSONObject {
        try KeyWrapping.wrap(
            key, passphrase: "four words to remember",
            kdf: .highSecurity(memoryKiB: 8_192, passes: 1, from: SeededRandom(5)), purpose: purpose,
            from: SeededRandom(3))
    }

    private func unwrap(
        _ record: JSONObject, passphrase: String = "four words to remember", purpose: String = "a key"
    ) throws -> Secret {
        try KeyWrapping.unwrap(record.canonicalBytes(), passphrase: passphrase, purpose: purpose)
    }

    private func expect(_ code: ErrorCode, _ body: () throws -> some Any) {
        #expect { try body() } throws: { error in
            let error = error as? ProtocolError
            return error?.code == code && error?.hint?.isEmpty == false
        }
    }

    @Test("a key comes back under its passphrase, also one that was typed in parts")
    func roundTrip() throws {
        #expect(try unwrap(try wrap()) == key)
        let record = try KeyWrapping.wrap(
            key, passphrase: "caf\u{e9}", kdf: .standard(from: SeededRandom(1)), purpose: "a key")
        #expect(try unwrap(record, passphrase: "cafe\u{301}") == key)
    }

    @Test("a wrong passphrase, and a record that was altered or is for something else, open nothing")
    func refusals() throws {
        let record = try wrap()
        expect(.invalidCredentials) { try unwrap(record, passphrase: "four words to forget") }
        for member in ["ciphertext", "nonce"] {
            var bytes = try #require(record[member]?.string.flatMap(Base64.decode))
            bytes[0] ^= 1
            let altered = record.setting(member, .base64(bytes))
            expect(.invalidCredentials) { try unwrap(altered) }
            for count in [bytes.count - 1, bytes.count + 1] {
                let other = record.setting(member, .base64([UInt8](repeating: 0, count: count)))
                expect(.invalidMessageFormat) { try unwrap(other) }
            }
        }
        expect(.invalidMessageFormat) { try unwrap(record, purpose: "another key") }
        // The purpose is under the seal, too.
        let renamed = record.setting("purpose", "another key")
        expect(.invalidCredentials) { try unwrap(renamed, purpose: "another key") }
        let newer = record.setting("version", 2)
        expect(.invalidMessageFormat) { try unwrap(newer) }
    }

    @Test("parameters and lengths outside the limits are refused before any work is done for them")
    func limits() throws {
        let record = try wrap()
        let kdf = try #require(record["kdf"]?.object)
        for (member, value) in [("memory_kib", 8_191), ("memory_kib", 1_048_577), ("passes", 0), ("passes", 17)] {
            let other = record.setting("kdf", .object(kdf.setting(member, .integer(Int64(value)))))
            expect(.invalidMessageFormat) { try unwrap(other) }
        }
        let bytes = record.canonicalBytes()
        let filled = [UInt8](repeating: 32, count: KeyWrapping.recordMax - bytes.count) + bytes
        #expect(
            try KeyWrapping.unwrap(filled, passphrase: "four words to remember", purpose: "a key") == key)
        #expect { try KeyWrapping.unwrap([32] + filled, passphrase: "", purpose: "a key") } throws: {
            ($0 as? ProtocolError)?.code == .invalidMessageFormat
        }
    }
}
