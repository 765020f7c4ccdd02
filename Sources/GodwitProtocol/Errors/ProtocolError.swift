/// A failure as the protocol states it (004 §14.1): code, a sentence, a hint, details; never a payload.
public struct ProtocolError: Error, Hashable, Sendable {
    public var code: ErrorCode
    /// What went wrong, as one sentence without payload, keys or addresses.
    public var message: String
    /// What the reader can do about it.
    public var hint: String?
    public var details: JSONObject
    /// A carrier's word that it failed before anything went on the link. Never part of an error object.
    public var sentNothing = false

    public init(_ code: ErrorCode, _ message: String, hint: String? = nil, details: JSONObject = [:]) {
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details
    }

    /// Seconds after which to try again, from `details.retry_after`.
    public var retryAfter: Int? {
        guard case .integer(let seconds)? = details["retry_after"], seconds >= 0 else { return nil }
        return Int(seconds)
    }

    /// The error object of 004 §14.1: {`error`: {`code`, `number`, `message`, `hint`, `details`, `timestamp`, `request_id`}}.
    public func object(at time: Timestamp, requestID: String? = nil) -> JSONObject {
        ["error": .object(fields(at: time, requestID: requestID))]
    }

    /// What stands under `error`.
    public func fields(at time: Timestamp, requestID: String? = nil) -> JSONObject {
        var fields: JSONObject = [
            "code": .string(code.name),
            "number": .integer(Int64(code.number)),
            "message": .string(message),
            "details": .object(details),
            "timestamp": .string(time.description),
        ]
        if let hint { fields["hint"] = .string(hint) }
        if let requestID { fields["request_id"] = .string(requestID) }
        return fields
    }

    /// Reads an error object; nil if `object` is none. An unknown code becomes 9000.
    public init?(object: JSONObject) {
        guard let fields = object["error"]?.object, let code = fields["code"]?.string else { return nil }
        self.init(
            ErrorCode(name: code) ?? .internalError, fields["message"]?.string ?? code,
            hint: fields["hint"]?.string, details: fields["details"]?.object ?? [:])
    }
}

extension ProtocolError {
    /// 2000 with the member at fault.
    public static func malformed(_ message: String, member: String? = nil, hint: String? = nil) -> Self {
        Self(
            .invalidMessageFormat, message, hint: hint,
            details: member.map { ["member": .string($0)] } ?? [:])
    }

    /// 2001 with both sizes (ERR-03: `max_size` is the first size that is refused).
    public static func tooLarge(_ message: String, actual: Int, firstRefused: Int) -> Self {
        Self(
            .messageTooLarge, message, hint: "Send less, or send it as several messages.",
            details: ["max_size": .integer(Int64(firstRefused)), "actual_size": .integer(Int64(actual))])
    }
}
