/// A command of a client (004 §7.3): {`command`, `data`, `request_id`?}.
public struct SocketCommand: Sendable, Hashable {
    public static let requestIDMax = 64
    public var name: String
    public var data: JSONObject
    public var requestID: String?

    public init(_ name: String, _ data: JSONObject, requestID: String? = nil) {
        self.name = name
        self.data = data
        self.requestID = requestID
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "command")
        name = try fields.string("command")
        data = try fields.value("data")
        requestID = try fields.optionalString("request_id")
        guard (requestID?.utf8.count ?? 0) <= Self.requestIDMax else {
            throw .malformed("A request_id has at most 64 characters.", member: "request_id")
        }
    }

    public var object: JSONObject {
        var object: JSONObject = ["command": .string(name), "data": .object(data)]
        if let requestID { object["request_id"] = .string(requestID) }
        return object
    }
}

/// What a node pushes (004 §7.2): {`event`, `data`}.
public struct SocketEvent: Sendable, Hashable {
    public var name: String
    public var data: JSONObject

    public init(_ name: String, _ data: JSONObject) {
        self.name = name
        self.data = data
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "event")
        name = try fields.string("event")
        data = try fields.value("data")
    }

    public var object: JSONObject { ["event": .string(name), "data": .object(data)] }

    /// The good answer to a command with a `request_id`.
    public static func ack(_ requestID: String?, _ result: JSONObject = [:]) -> SocketEvent {
        var data = result
        if let requestID { data["request_id"] = .string(requestID) }
        return SocketEvent("ack", data)
    }

    /// The bad answer: {`request_id`, `error`}.
    public static func failure(_ error: ProtocolError, requestID: String?, at time: Timestamp) -> SocketEvent {
        var data: JSONObject = ["error": .object(error.fields(at: time, requestID: requestID))]
        if let requestID { data["request_id"] = .string(requestID) }
        return SocketEvent("error", data)
    }
}

/// Whether a user is there (004 §7.2).
public enum PresenceStatus: String, CaseIterable, Sendable, Hashable {
    case online, away, offline
}
