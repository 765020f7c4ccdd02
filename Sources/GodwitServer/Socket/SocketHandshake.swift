import GodwitNode
import GodwitProtocol
import NIOHTTP1

/// What a WebSocket handshake has to ask for and what it carries.
enum SocketHandshake: CaseIterable {
    /// A device's session (004 §7.1).
    case session
    /// A live link of a peer (docs/protocol.md §8.6).
    case live

    var path: String {
        switch self {
        case .session: "/ws/v1"
        case .live: "/batch/v1/live"
        }
    }
    var subprotocol: String {
        switch self {
        case .session: "dcp-v1"
        case .live: "dcp-batch-v1"
        }
    }

    /// The header to agree with.
    var answer: HTTPHeaders { ["Sec-WebSocket-Protocol": subprotocol] }

    /// What an acceptable handshake asks for. What is not acceptable goes on as plain HTTP, which answers it with an error.
    init?(_ head: HTTPRequestHead) {
        guard let asked = Self.allCases.first(where: { $0.isAcceptable(head) }) else { return nil }
        self = asked
    }

    /// RFC 6455 §4.2.1 and WS-02.
    private func isAcceptable(_ head: HTTPRequestHead) -> Bool {
        func list(_ name: String) -> [String] { head.headers[canonicalForm: name].map { String($0) } }
        return head.method == .GET && head.version == .http1_1 && NodePath(head.uri).text == path
            && list("Upgrade").map { $0.lowercased() } == ["websocket"]
            && list("Connection").contains { $0.lowercased() == "upgrade" }
            && head.headers["Sec-WebSocket-Version"] == ["13"]
            && head.headers["Sec-WebSocket-Key"].count == 1
            && head.headers["Sec-WebSocket-Key"].allSatisfy { Base64.decode($0)?.count == 16 }
            && list("Sec-WebSocket-Protocol").contains(subprotocol)
    }

    /// The refusal (9002) for a path or a subprotocol of another version; nil for what is no such thing.
    static func otherVersion(_ path: String, _ subprotocols: [String]) -> APIRefusal? {
        func isVersion(_ text: Substring) -> Bool {
            text.count > 1 && text.first == "v" && Int(text.dropFirst()) != nil
        }
        let parts = Array(path.split(separator: "/", omittingEmptySubsequences: false).dropFirst())
        if parts.count >= 2, let room = parts.first, ["ws", "batch"].contains(room), isVersion(parts[1]),
            parts[1] != "v1"
        {
            return .version
        }
        guard let socket = allCases.first(where: { $0.path == path }) else { return nil }
        let asked = subprotocols.flatMap { $0.split(separator: ",").map { String($0).filter { $0 != " " } } }
        return asked.isEmpty || asked.contains(socket.subprotocol) ? nil : .version
    }

    static func request(of head: HTTPRequestHead, from source: SourceAddress?) -> SocketRequest {
        SocketRequest(token: token(head.headers["Authorization"]), origin: head.headers["Origin"].first, source: source)
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
