import GodwitProtocol
import HTTPTypes

/// Which web pages may use the interface from a browser (CORS, as the Fetch standard has it).
///
/// None unless the operator names them: a page of the open web must not find out what listens in a private network.
/// Answers never allow credentials: sessions are carried by a header that a page has to know the token for.
public struct APIOrigins: Sendable, Hashable {
    /// Such as `https://chat.example`; `*` is any.
    public var allowed: Set<String>

    public init(_ allowed: Set<String> = []) { self.allowed = allowed }

    /// Seconds for which a browser need not ask again.
    private static let age = "86400"

    func headers(for origin: String?) -> HTTPFields {
        guard !allowed.isEmpty else { return [:] }
        var headers: HTTPFields = allowed.contains("*") ? [:] : [.vary: "Origin"]
        guard let origin, let answer = allowed.contains("*") ? "*" : allowed.contains(origin) ? origin : nil else {
            return headers
        }
        headers[.accessControlAllowOrigin] = answer
        headers[.accessControlExposeHeaders] = "ETag, Retry-After"
        return headers
    }

    /// The answer to OPTIONS, whether a browser asks before a request or somebody wants to know the methods.
    func preflight(_ request: HTTPFields, methods: String) -> Answer {
        var answer = Answer(status: .noContent, contentType: nil, body: [])
        answer.headers[.allow] = methods
        let origin = request[.origin]
        guard request[.accessControlRequestMethod] != nil, let origin,
            allowed.contains("*") || allowed.contains(origin)
        else { return answer }
        answer.headers[.accessControlAllowMethods] = methods
        answer.headers[.accessControlAllowHeaders] = "Authorization, Content-Type, If-None-Match, Range, If-Range"
        answer.headers[.accessControlMaxAge] = Self.age
        return answer
    }

    /// - Throws: `ProtocolError` 2000 for what is no origin (RFC 6454 §6.2: scheme, host and port, nothing after).
    func validate() throws(ProtocolError) {
        for origin in allowed where origin != "*" {
            let rest =
                origin.hasPrefix("https://")
                ? origin.dropFirst(8) : origin.hasPrefix("http://") ? origin.dropFirst(7) : ""
            guard !rest.isEmpty, rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
                throw .malformed(
                    "An origin is scheme, host and port.", member: "origins", hint: "Example: https://chat.example"
                )
            }
        }
    }
}
