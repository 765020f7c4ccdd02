import GodwitNode
import GodwitProtocol
import HTTPTypes
import HummingbirdCore

/// Who reads the node's measures at `/metrics`.
public struct MetricsAccess: Sendable, Hashable {
    /// Without it only this machine is answered.
    public var token: String?

    public init(token: String? = nil) { self.token = token }
}

/// What is measured, as text.
public protocol MetricsSource: Sendable {
    /// In the text format of Prometheus.
    func metrics() async -> String
}

/// `GET /metrics`. To whoever may not read it, there is nothing.
struct MetricsResponder {
    static let path = "/metrics"
    let source: (any MetricsSource)?
    let access: MetricsAccess

    /// - Parameter isLocal: the request came over loopback.
    func answer(_ request: Request, isLocal: Bool) async -> Answer {
        guard let source, request.method == .get, mayRead(request, isLocal) else {
            return APIRefusal.nothingHere.answer
        }
        var answer = Answer(status: .ok, body: Array(await source.metrics().utf8))
        answer.contentType = "text/plain; version=0.0.4"
        return answer
    }

    private func mayRead(_ request: Request, _ isLocal: Bool) -> Bool {
        guard let token = access.token else {
            // What a proxy on this machine passes on has come from elsewhere.
            let passed = ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"].compactMap { HTTPField.Name($0) }
            return isLocal && !passed.contains { request.headers[$0] != nil }
        }
        guard let shown = SocketHandshake.token(request.headers[values: .authorization]) else { return false }
        // Of digests, so that the time tells nothing of where they differ.
        return SHA256Digest.of(Array(shown.utf8)) == SHA256Digest.of(Array(token.utf8))
    }
}
