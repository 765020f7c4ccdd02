import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Identity files (004 §4, ID-24)")
struct IdentityTests {
    private func make() throws -> (file: IdentityFile, key: SigningKey) {
        try IdentityBuilder.create(
            username: try Username("alice-river-7x9k"), node: try NodeID("a7f3k9m2"),
            endpoint: "wss://chat.example.com", nodeName: "Harbour", displayName: "Alice", passphrase: "seven tides",
            kdf: .standard(), created: Timestamp(milliseconds: 1_773_466_632_000))
    }

    @Test("a new identity verifies, reads back from its bytes, and opens with its passphrase only")
    func roundTrip() throws {
        let (file, key) = try make()
        let read = try IdentityFile(parsing: file.object.canonicalBytes())
        #expect(read == file)
        #expect(read.userID.text == "a7f3k9m2.alice-river-7x9k")
        #expect(IdentityBuilder.verify(read) == IdentityBuilder.Checks(identitySignature: true, fileSignature: true))
        let opened = try IdentityBuilder.unlock(read, passphrase: "seven tides")
        #expect(opened.publicKey == key.publicKey)
        #expect(opened.seed == key.seed)
        let error = #expect(throws: ProtocolError.self) { try IdentityBuilder.unlock(read, passphrase: "seven tide") }
        #expect(error?.code == .invalidCredentials)
    }

    @Test("what was altered shows in the checks")
    func altered() throws {
        let (file, _) = try make()
        let identity = file.identity.setting("display_name", "Mallory")
        let other = try IdentityFile(file.object.setting("identity", .object(identity)))
        #expect(IdentityBuilder.verify(other) == IdentityBuilder.Checks(identitySignature: false, fileSignature: false))
        #expect(!IdentityBuilder.verify(other).isValid)
        let moved = try IdentityFile(
            file.object.setting("home_node", ["endpoint": "wss://elsewhere.example.com"]))
        #expect(IdentityBuilder.verify(moved) == IdentityBuilder.Checks(identitySignature: true, fileSignature: false))
        let bare = try IdentityFile(file.object.omitting(["file_signature"]))
        #expect(IdentityBuilder.verify(bare) == IdentityBuilder.Checks(identitySignature: true, fileSignature: nil))
        #expect(IdentityBuilder.verify(bare).isValid)
    }

    @Test("secrets of another identity do not open")
    func foreignSecrets() throws {
        let (file, _) = try make()
        let (other, _) = try make()
        let mixed = try IdentityFile(file.object.setting("encrypted_data", .string(other.encryptedData)))
        let error = #expect(throws: ProtocolError.self) { try IdentityBuilder.unlock(mixed, passphrase: "seven tides") }
        #expect(error?.code == .invalidCredentials)
    }
}
