import GodwitNode
import GodwitProtocol
import NIOHTTP1

/// What a WebSocket handshake has to ask for (004 §7.1) and what it carries.
enum SocketHandshake {
    static let path = "/ws/v1"
    static let subprotocol = "dcp-v1"

    /// The header to agree with.
    static let answer: HTTPHeaders = ["Sec-WebSocket-Protocol": subprotocol]

    /// RFC 6455 §4.2.1 and WS-02. What is not acceptable goes on as plain HTTP, which answers it with an error.
    static func isAcceptable(_ head: HTTPRequestHead) -> Bool {
        func list(_ name: String) -> [String] { head.headers[canonicalForm: name].map { String($0) } }
        return head.method == .GET && head.version == .http1_1 && NodePath(head.uri).text == path
            && list("Upgrade").map { $0.lowercased() } == ["websocket"]
            && list("Connection").contains { $0.lowercased() == "upgrade" }
            && head.headers["Sec-WebSocket-Version"] == ["13"]
            && head.headers["Sec-WebSocket-Key"].count == 1
            && head.headers["Sec-WebSocket-Key"].allSatisfy { Base64.decode($0)?.count == 16 }
            && list("Sec-WebSocket-Protocol").contains(subprotocol)
    }

    static func request(of head: HTTPRequestHead) -> SocketRequest {
        SocketRequest(token: token(head.headers["Authorization"]), origin: head.headers["Origin"].first)
    }

    /// The token of one `Bearer` header (AUTH-17, RFC 6750 §2.1); nil for none, several, or another scheme.
    static func token(_ values: [String]) -> String? {
        guard values.count == 1, let space = values[0].firstIndex(of: " "),
            values[0][..<space].lowercased() == "bearer"
        else { return nil }
        let token = values[0][space...].drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }
}
