import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct CertificatePinTests {
    @Test("SEC-03: the pin of a certificate is SHA-256 of its SubjectPublicKeyInfo, from PEM and from DER")
    func pinOfCertificate() throws {
        let certificate = try TestCertificate()
        #expect(try CertificatePin(certificatePEM: certificate.certificatePEM).digest == certificate.keyDigest)
        #expect(try CertificatePin(certificateDER: certificate.certificateDER).digest == certificate.keyDigest)
    }

    @Test("A pin is written as curl writes it and read back")
    func text() throws {
        let pin = try CertificatePin(digest: Array(0..<32))
        #expect(pin.text == "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        #expect(try CertificatePin(pin.text) == pin)
    }

    @Test(
        "What is no pin is refused",
        arguments: [
            "", "sha256//", "sha256//AAAA", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=;",
        ])
    func refusesText(_ text: String) {
        #expect(throws: ProtocolError.self) { try CertificatePin(text) }
    }

    @Test("Bytes that are no certificate are refused")
    func refusesBytes() {
        #expect(throws: ProtocolError.self) { try CertificatePin(certificatePEM: Array("no".utf8)) }
        #expect(throws: ProtocolError.self) { try CertificatePin(certificateDER: [0x30, 0x03, 1, 2, 3]) }
        #expect(throws: ProtocolError.self) { try CertificatePin(digest: Array(repeating: 0, count: 31)) }
    }
}
