import GodwitBatch
import GodwitNode
import GodwitProtocol
import HTTPTypes
import HummingbirdCore
import Logging

/// The few paths of a node. Everything else is answered with an error object.
struct NodeResponder {
    let exchange: ExchangeResponder
    let api: APIResponder
    let metrics: MetricsResponder
    /// Where what gives information answers probes as well.
    var probe: ProbeResponder? {
        (information as? any ProbeService).map { ProbeResponder(service: $0, logger: logger) }
    }
    let information: any NodeInformation
    let logger: Logger

    func respond(
        to request: Request, from source: SourceAddress?, isLocal: Bool, _ writer: consuming ResponseWriter
    ) async throws {
        let path = NodePath(request.head.path ?? "").text
        if APIResponder.isBelow(path) { return try await api.respond(to: request, from: source, writer) }
        if path == MetricsResponder.path {
            return try await metrics.answer(request, isLocal: isLocal).write(to: writer)
        }
        switch (path, request.method) {
        case (ExchangeResponder.path, .post): try await exchange.respond(to: request, writer)
        case (Probe.path, .post):
            guard let probe else { return try await refusal(path).write(to: writer) }
            try await probe.respond(to: request, writer)
        case ("/healthz", .get): try await Answer.text("ok\n").write(to: writer)
        case ("/readyz", .get): try await readiness().write(to: writer)
        default:
            if let refusal = SocketHandshake.otherVersion(path, request.headers[values: .secWebSocketProtocol]) {
                return try await refusal.answer.write(to: writer)
            }
            if request.method == .get, let socket = SocketHandshake.allCases.first(where: { $0.path == path }) {
                return try await Answer.error(Self.noUpgrade(socket), status: .badRequest).write(to: writer)
            }
            try await refusal(path).write(to: writer)
        }
    }

    private func readiness() async -> Answer {
        if await information.isReady() { return .text("ready\n") }
        return .error(
            ProtocolError(.maintenanceMode, "The node does not take traffic yet.", hint: "Try again in a moment."))
    }

    private func refusal(_ path: String) -> Answer {
        let methods: [String: String] = [
            ExchangeResponder.path: "POST", Probe.path: "POST", "/healthz": "GET", "/readyz": "GET",
            SocketHandshake.session.path: "GET", SocketHandshake.live.path: "GET",
        ]
        guard let method = methods[path] else {
            return .error(
                .malformed("There is nothing at this path.", hint: "See /api/v1/openapi.json for what there is."),
                status: .notFound)
        }
        var answer = Answer.error(
            .malformed("This path does not take this method.", hint: "Use \(method)."), status: .methodNotAllowed)
        answer.headers[.allow] = method
        return answer
    }

    /// A handshake that the upgrader did not take ends up here.
    private static func noUpgrade(_ socket: SocketHandshake) -> ProtocolError {
        .malformed(
            "This path opens a WebSocket.",
            hint: "Ask for it as the first request of a connection: Upgrade: websocket, Sec-WebSocket-Version: 13, "
                + "Sec-WebSocket-Protocol: \(socket.subprotocol).")
    }
}
