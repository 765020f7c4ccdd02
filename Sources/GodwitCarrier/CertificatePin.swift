import Crypto
public import GodwitProtocol
import NIOSSL

/// SHA-256 of a certificate's public key in its SubjectPublicKeyInfo form (RFC 7469 §2.4), as node descriptors name it.
public struct CertificatePin: Hashable, Sendable {
    /// 32 bytes.
    public let digest: [UInt8]

    public init(digest: [UInt8]) throws(ProtocolError) {
        guard digest.count == 32 else { throw Self.malformed }
        self.digest = digest
    }

    /// Reads `sha256//` + padded base64, curl's form.
    public init(_ text: String) throws(ProtocolError) {
        guard text.hasPrefix(Self.prefix), let digest = Base64.decode(String(text.dropFirst(Self.prefix.count))) else {
            throw Self.malformed
        }
        try self.init(digest: digest)
    }

    /// The pin of the first certificate of a PEM file's bytes.
    public init(certificatePEM pem: [UInt8]) throws(ProtocolError) {
        do {
            guard let first = try NIOSSLCertificate.fromPEMBytes(pem).first else { throw Self.unreadable }
            try self.init(certificate: first)
        } catch { throw Self.unreadable }
    }

    public init(certificateDER der: [UInt8]) throws(ProtocolError) {
        do { try self.init(certificate: NIOSSLCertificate(bytes: der, format: .der)) } catch { throw Self.unreadable }
    }

    init(certificate: NIOSSLCertificate) throws {
        let key = try certificate.extractPublicKey().toSPKIBytes()
        var hash = SHA256()
        key.withUnsafeBytes { hash.update(bufferPointer: $0) }
        digest = hash.finalize().withUnsafeBytes { Array($0) }
    }

    public var text: String { Self.prefix + Base64.encode(digest) }

    private static let prefix = "sha256//"
    private static let malformed = ProtocolError.malformed(
        "A certificate pin is not one.", hint: "It is sha256// and the base64 of 32 bytes.")
    private static let unreadable = ProtocolError.malformed(
        "The certificate could not be read.", hint: "It has to be X.509 in PEM or DER.")
}
