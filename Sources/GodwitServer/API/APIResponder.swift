import GodwitNode
import GodwitProtocol
import HTTPTypes
import HummingbirdCore
import Logging
import Metrics
import NIOCore

/// The REST interface: finds the operation in the table, checks what came, calls the command, and answers as the table
/// says. It decides nothing of its own.
struct APIResponder: Sendable {
    let service: any CommandService
    let information: any NodeInformation
    /// As they are now.
    let currentOrigins: @Sendable () -> APIOrigins
    let budget: BodyBudget
    /// For how long a body may arrive.
    let bodyTimeout: Duration
    let logger: Logger

    /// The only version of the interface that this node speaks.
    static func isBelow(_ path: String) -> Bool { path == "/api" || path.hasPrefix("/api/") }

    func respond(
        to request: Request, from source: SourceAddress?, _ writer: consuming ResponseWriter
    ) async throws {
        let isHead = request.method == .head
        let origins = currentOrigins()
        var answer: Answer
        do {
            answer = try await self.answer(request, from: source, origins)
        } catch let refusal as APIRefusal {
            answer = refusal.answer
        } catch let error as ProtocolError {
            answer = .error(error)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            logger.error("a request failed on this node", metadata: ["kind": "\(type(of: error))"])
            answer = .error(ProtocolError(.internalError, "The node could not carry out the request."))
        }
        if answer.status.code >= 400 {
            Counter(label: "godwit_rest_failures_total", dimensions: [("status", String(answer.status.code))])
                .increment()
        }
        answer.headers.append(contentsOf: origins.headers(for: request.headers[.origin]))
        if answer.status == .unauthorized { answer.headers[.wwwAuthenticate] = "Bearer" }
        try await answer.write(to: writer, head: isHead)
    }

    private func answer(
        _ request: Request, from source: SourceAddress?, _ origins: APIOrigins
    ) async throws -> Answer {
        let target = request.head.path ?? ""
        guard target.utf8.count <= APILimits.targetMax else {
            throw APIRefusal(
                .uriTooLong, .malformed("The request target is longer than \(APILimits.targetMax) bytes."))
        }
        guard let path = try APIPath(target) else { throw APIRefusal.version }
        let matches = APITable.routes.compactMap { APIMatch($0, path.segments) }
        guard !matches.isEmpty else { throw APIRefusal.nothingHere }
        let methods = Self.methods(matches.map(\.route.method))
        if request.method == .options { return origins.preflight(request.headers, methods: methods) }
        let wanted = request.method == .head ? .get : request.method
        guard let match = matches.first(where: { $0.route.method == wanted }) else {
            throw APIRefusal.method(methods)
        }
        try APIHeaders.checkAccept(request.headers[values: .accept])
        try await service.admit(match.route.access == .session ? .requests : .login, from: source)
        let session = match.route.access == .session ? try await session(request, from: source) : nil
        var data = try await body(of: request, for: match.route)
        try match.fill(&data, from: path)
        let result = try await carryOut(match, data, session, source)
        return try Self.answer(result, of: match.route, to: request)
    }

    static func methods(_ methods: [HTTPRequest.Method]) -> String {
        var names = methods.map(\.rawValue)
        if methods.contains(.get) { names.append("HEAD") }
        return (names + ["OPTIONS"]).joined(separator: ", ")
    }

    private func session(_ request: Request, from source: SourceAddress?) async throws -> Session {
        guard let token = SocketHandshake.token(request.headers[values: .authorization]) else {
            throw ProtocolError(
                .invalidCredentials, "This request needs a session.",
                hint: "Send Authorization: Bearer and the token of POST /api/v1/auth/session.")
        }
        return try await service.session(for: token)
    }

    // MARK: What came

    private func body(of request: Request, for route: APIRoute) async throws -> JSONObject {
        guard let shape = route.body else { return [:] }
        try APIHeaders.checkContentType(request.headers[values: .contentType])
        var held = 0
        defer { budget.giveBack(held) }
        let bytes = try await read(request, most: route.bodyMax, holding: &held)
        let object = try JSONObject.parse(bytes, limits: JSONLimits(bytes: route.bodyMax))
        if route.command == "send_message", object["message"] == nil, object["content"] != nil {
            throw ProtocolError(
                .invalidMessageFormat, "This node never sees clear text: content is encrypted on the device.",
                hint: "Send the sealed and signed message as `message` (docs/protocol.md, section 5).",
                details: ["member": "content"])
        }
        try shape.check(.object(object), at: "body")
        return object
    }

    /// - Parameter held: bytes taken of the budget, also when it throws.
    private func read(_ request: Request, most: Int, holding held: inout Int) async throws -> [UInt8] {
        func tooLarge(_ size: Int) -> ProtocolError {
            .tooLarge("The body is too large.", actual: size, firstRefused: most + 1)
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most { throw tooLarge(length) }
        let began = ContinuousClock.now
        var bytes: [UInt8] = []
        for try await chunk in request.body {
            guard bytes.count + chunk.readableBytes <= most else { throw tooLarge(bytes.count + chunk.readableBytes) }
            guard ContinuousClock.now - began <= bodyTimeout else { throw APIRefusal.slow }
            try budget.take(chunk.readableBytes)
            held += chunk.readableBytes
            bytes += chunk.readableBytesView
        }
        return bytes
    }

    // MARK: What is answered

    private func carryOut(
        _ match: APIMatch, _ data: JSONObject, _ session: Session?, _ source: SourceAddress?
    ) async throws -> [UInt8] {
        switch match.route.command {
        case APICommand.descriptor: return await information.descriptor()
        case APICommand.document: return OpenAPIDocument.bytes
        default: break
        }
        guard let session else {
            return try await service.login(match.route.command, data, from: source).canonicalBytes()
        }
        var data = data
        var command = match.route.command
        if command == APICommand.named {
            command = data[APICommand.named]?.string ?? ""
            data[APICommand.named] = nil
        }
        return try await service.carryOut(command, data, in: session).canonicalBytes()
    }

    private static func answer(_ body: [UInt8], of route: APIRoute, to request: Request) throws -> Answer {
        guard route.answer != nil else { return Answer(status: .noContent, contentType: nil, body: []) }
        var answer = Answer(status: HTTPResponse.Status(code: route.status), body: body)
        switch route.freshness {
        case .volatile: return answer
        case .secret:
            answer.headers[.cacheControl] = "no-store"
            return answer
        case .validated: return AnswerConditions(request.headers).apply(to: answer)
        }
    }
}

/// A failure whose status is not that of its code.
struct APIRefusal: Error {
    var answer: Answer

    init(_ status: HTTPResponse.Status, _ error: ProtocolError) { answer = .error(error, status: status) }

    static var nothingHere: APIRefusal {
        APIRefusal(
            .notFound, .malformed("There is nothing at this path.", hint: "See /api/v1/openapi.json for what there is.")
        )
    }

    static var slow: APIRefusal {
        APIRefusal(
            .requestTimeout,
            .malformed(
                "The body took too long to arrive.",
                hint: "On a link this slow use a batch exchange, which takes up where it broke."))
    }

    static var version: APIRefusal {
        var refusal = APIRefusal(
            .upgradeRequired,
            ProtocolError(
                .protocolVersionMismatch, "This node speaks version 1 of its interfaces.",
                hint: "Ask below /api/v1/, at /ws/v1 with dcp-v1, or below /batch/v1/, live links with dcp-batch-v1."))
        // RFC 9110 §15.5.22 wants it; there is no other protocol to change to.
        refusal.answer.headers[.upgrade] = "HTTP/1.1"
        return refusal
    }

    static func method(_ methods: String) -> APIRefusal {
        var refusal = APIRefusal(
            .methodNotAllowed, .malformed("This path does not take this method.", hint: "Use one of: \(methods)."))
        refusal.answer.headers[.allow] = methods
        return refusal
    }
}
