import Crypto
import FoundationEssentials
import GodwitProtocol
import SwiftASN1
import X509

/// The certificate that a node shows; peers know it by the pin in the node's descriptor, not by who signed it.
struct SelfSignedCertificate {
    var certificatePEM: String
    var keyPEM: String
    /// SHA-256 of the SubjectPublicKeyInfo.
    var pin: [UInt8]

    /// P-256, no extensions, valid from the year 2000 to 2100: boxes without a clock must not refuse it, and trust
    /// comes from the pin.
    static func make(for node: NodeID) throws -> SelfSignedCertificate {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName(node.text) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
            notValidBefore: Date(timeIntervalSince1970: 946_684_800),
            notValidAfter: Date(timeIntervalSince1970: 4_102_444_800), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(), issuerPrivateKey: .init(key))
        return SelfSignedCertificate(
            certificatePEM: try certificate.serializeAsPEM().pemString, keyPEM: key.pemRepresentation,
            pin: SHA256Digest.of([UInt8](key.publicKey.derRepresentation)))
    }
}
