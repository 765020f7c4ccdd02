import Glibc
import GodwitProtocol
import HTTPTypes
import HummingbirdCore
import NIOCore

/// A short answer, sent whole. No Date, no Server: every byte of a header crosses the thin link.
struct Answer {
    var status: HTTPResponse.Status
    /// nil: an answer without a body.
    var contentType: String? = "application/json"
    var headers: HTTPFields = [:]
    var body: [UInt8]

    static func text(_ text: String) -> Answer {
        Answer(status: .ok, contentType: "text/plain", body: Array(text.utf8))
    }

    /// The error object of 004 §14.1 with the status of gap G-44, or `status` where the code has no fitting one.
    static func error(_ error: ProtocolError, status: HTTPResponse.Status? = nil) -> Answer {
        var answer = Answer(
            status: status ?? HTTPResponse.Status(code: error.code.httpStatus),
            body: error.object(at: .now(), requestID: requestID()).canonicalBytes())
        if let seconds = error.retryAfter { answer.headers[.retryAfter] = String(seconds) }
        return answer
    }

    /// What stands in `request_id`: random, so that a user can quote it and logs can be searched for it.
    private static func requestID() -> String {
        "req_" + Base32.encode((0..<5).map { _ in UInt8.random(in: .min ... .max) })
    }

    /// - Parameter head: the request was HEAD: the answer says what the body would be.
    func write(to writer: consuming ResponseWriter, head: Bool = false) async throws {
        var headers = headers
        if let contentType {
            headers[.contentType] = contentType
            headers[.contentLength] = String(body.count)
        }
        let response = HTTPResponse(status: status, headerFields: headers)
        guard contentType != nil, !head else { return try await writer.writeResponse(response) }
        try await writer.write(response: response, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

extension Timestamp {
    /// To the second, which is enough for an error.
    static func now() -> Timestamp {
        Timestamp(milliseconds: Int64(time(nil)) * 1_000)
    }
}
