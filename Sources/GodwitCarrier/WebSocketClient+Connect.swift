import GodwitProtocol
import NIOCore
import NIOWebSocket

extension WebSocketClient {
    /// Connects to `endpoint` (scheme `wss`, or `ws` on loopback or with `allowClear`), path `/ws/v1` added.
    ///
    /// - Parameters:
    ///   - pins: public keys that the node may show; without any, the system's trust decides.
    ///   - token: session token for the `Authorization` header; nil opens an unauthenticated socket (gap G-28).
    /// - Throws: `ProtocolError` 3000 without a connection, 1000 for a key that is not pinned, 9002 when the node does
    ///   not take the upgrade.
    public static func connect(
        to endpoint: Endpoint, pins: [CertificatePin], token: String? = nil, allowClear: Bool = false,
        timeout: Duration = .seconds(30)
    ) async throws -> WebSocketClient {
        let dialer = SocketDialer(
            endpoint: endpoint, pins: pins, path: "/ws/v1", subprotocol: "dcp-v1", token: token,
            allowClear: allowClear, timeout: timeout, frameMax: messageMax)
        return try await dialer.connect { channel in
            let inbox = SocketInbox<String>()
            let handler = ClientSocketHandler(inbox: inbox) { frame in
                guard frame.opcode == .text else { return .refused(code: 1003, reason: "Only text.") }
                guard let text = frame.data.getUTF8ValidatedText() else {
                    return .refused(code: 1007, reason: "Not UTF-8.")
                }
                return .message(text)
            }
            try ClientSocketHandler.add(handler, to: channel, messageMax: messageMax)
            return WebSocketClient(channel: channel, inbox: inbox)
        }
    }
}
