import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// A self-signed P-256 certificate, as `godwit node init` makes one, and its pin computed without GodwitCarrier.
struct TestCertificate {
    let certificatePEM: [UInt8]
    let certificateDER: [UInt8]
    let keyPEM: [UInt8]
    /// SHA-256 of the SubjectPublicKeyInfo.
    let keyDigest: [UInt8]

    init() throws {
        let secret = P256.Signing.PrivateKey()
        let key = Certificate.PrivateKey(secret)
        let name = try DistinguishedName { CommonName("godwit test") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -3_600), notValidAfter: Date(timeIntervalSinceNow: 86_400),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(),
            issuerPrivateKey: key)
        certificatePEM = Array(try certificate.serializeAsPEM().pemString.utf8)
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        certificateDER = serializer.serializedBytes
        keyPEM = Array(try key.serializeAsPEM().pemString.utf8)
        // RFC 5480: the SPKI of a P-256 key is a fixed header and the uncompressed point.
        let header: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
            0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ]
        keyDigest = Array(SHA256.hash(data: header + Array(secret.publicKey.x963Representation)))
    }
}
