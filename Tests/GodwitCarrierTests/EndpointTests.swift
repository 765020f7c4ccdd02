import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct EndpointTests {
    @Test(
        "An address is read with its default port, its brackets and its path",
        arguments: [
            ("https://node.example", "https://node.example:443"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("wss://[2001:db8::1]:9443", "wss://[2001:db8::1]:9443"),
            ("ws://[::1]", "ws://[::1]:80"),
            ("udp://Node.example:7443", "udp://node.example:7443"),
            ("HTTPS://Node.Example:65535/godwit", "https://node.example:65535/godwit"),
        ])
    func reads(_ text: String, _ normal: String) throws {
        #expect(try Endpoint(text).text == normal)
    }

    @Test(
        "What is no address of a node is refused",
        arguments: [
            "", "https", "https:", "https://", "ftp://a", "https://a:0", "https://a:65536", "https://a:",
            "https://a:1x",
            "https://user@a", "https://a/?q", "https://a/#f", "https://[::1", "https://[a]", "https://a b",
            "udp://a", "udp://a:1/x", "udp://a:1/",
            "https://a\r\nX: y", "https://ä", "https://:443", "https://[::1]x",
        ])
    func refuses(_ text: String) {
        #expect(throws: ProtocolError.self) { try Endpoint(text) }
    }

    @Test("SEC-02: clear text is for loopback, unless it is allowed")
    func clearText() throws {
        for loopback in ["http://localhost:1", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]:5"] {
            try Endpoint(loopback).requireSecure(unless: false)
        }
        for other in ["http://10.0.0.1", "http://127.0.0.1.example", "http://128.0.0.1", "http://localhost.example"] {
            let endpoint = try Endpoint(other)
            #expect(throws: ProtocolError.self) { try endpoint.requireSecure(unless: false) }
            try endpoint.requireSecure(unless: true)
        }
        try Endpoint("https://10.0.0.1").requireSecure(unless: false)
    }

    @Test("A carrier takes http and https addresses only, and time-outs that last")
    func configuration() throws {
        #expect(throws: ProtocolError.self) {
            try HTTPBatchCarrier(HTTPCarrierConfiguration(endpoint: Endpoint("wss://a"), pins: []))
        }
        #expect(throws: ProtocolError.self) {
            var configuration = HTTPCarrierConfiguration(endpoint: try Endpoint("https://a"), pins: [])
            configuration.stallTimeout = .zero
            _ = try HTTPBatchCarrier(configuration)
        }
        #expect(throws: ProtocolError.self) {
            try HTTPBatchCarrier(HTTPCarrierConfiguration(endpoint: Endpoint("http://10.0.0.1"), pins: []))
        }
        _ = try HTTPBatchCarrier(HTTPCarrierConfiguration(endpoint: Endpoint("https://a"), pins: []))
    }
}
