import GodwitProtocol
import Testing

@testable import GodwitCrypto

@Suite struct NameTests {
    @Test("node and device ids follow from their keys alone (D-17, DHT-02)")
    func derived() throws {
        let key = try SigningKey(seed: Secret(hex: Vectors.ed25519[0].seed)).publicKey
        let other = try SigningKey(seed: Secret(hex: Vectors.ed25519[1].seed)).publicKey
        #expect(try NodeIDDerivation.derive(from: key) == NodeIDDerivation.derive(from: key))
        #expect(try NodeIDDerivation.derive(from: key) != NodeIDDerivation.derive(from: other))
        #expect(try DeviceIDDerivation.derive(from: key) != DeviceIDDerivation.derive(from: other))
    }

    @Test("the three keys of Appendix A differ and are the protocol's (E2E-14)")
    func hierarchy() throws {
        let keys = KeyHierarchy(masterKey: Secret([UInt8](repeating: 1, count: 32)))
        #expect(keys.signingKey != keys.encryptionKey)
        #expect(keys.encryptionKey != keys.functionKey)
        let again = try KeyDerivation.hkdf(
            Secret([UInt8](repeating: 1, count: 32)), info: Array("DCP-FUNCTION-KEY-V1".utf8), count: 32)
        #expect(keys.functionKey == again)
    }
}
