import GodwitProtocol
import HTTPTypes

/// One operation of the REST interface, as a value: matching, checking, answering and the OpenAPI document all read it.
struct APIRoute: Sendable {
    /// Who may ask.
    enum Access: Hashable { case anybody, session }

    /// What may be kept of an answer.
    enum Freshness: Hashable {
        /// Of this moment: no ETag.
        case volatile
        /// May be asked for again with `If-None-Match`.
        case validated
        /// Holds a secret: nobody keeps it.
        case secret
    }

    var method: HTTPRequest.Method
    /// Below `/api/v1`, such as `/channels/{channel_id}/messages`.
    var template: String
    /// The command of docs/protocol.md §9.3 that it stands for; `login` steps have the type of their frame.
    var command: String
    var summary: String
    var parameters: [APIParameter] = []
    var body: APIShape?
    /// nil: answered with 204 and no body.
    var answer: APIShape?
    var status: Int = 200
    var access = Access.session
    var freshness = Freshness.volatile
    /// Besides those that every operation can fail with.
    var failures: [ErrorCode] = []
    var bodyMax = APILimits.bodyMax

    var segments: [Substring] { template.dropFirst().split(separator: "/", omittingEmptySubsequences: false) }

    /// Unique: what clients that are generated name their function.
    var operationID: String {
        let words = segments.map { $0.filter { $0.isLetter || $0 == "_" } }.joined(separator: "_")
        return method.rawValue.lowercased() + "_" + words
    }
}

/// Where a member of a command's data comes from, besides the body.
struct APIParameter: Sendable {
    enum Place: String { case path, query }

    var name: String
    var place: Place
    /// The member of the command's data.
    var member: String
    var shape: APIShape
    var note: String

    static func path(_ name: String, as member: String, _ shape: APIShape, _ note: String) -> APIParameter {
        APIParameter(name: name, place: .path, member: member, shape: shape, note: note)
    }
    static func query(_ name: String, _ shape: APIShape, _ note: String) -> APIParameter {
        APIParameter(name: name, place: .query, member: name, shape: shape, note: note)
    }
}

/// Bounds of a request.
enum APILimits {
    /// Bytes of a body: a message of 65,535 bytes with its wraps, or an object of §7.
    static let bodyMax = 131_072
    /// Bytes of a body that holds an identity file.
    static let identityMax = 270_336
    /// Bytes of a request target.
    static let targetMax = 2_048
    /// Members of a path.
    static let segmentsMax = 8
}
