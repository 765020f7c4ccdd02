import GodwitProtocol

/// What a process left behind.
struct Outcome: CustomStringConvertible {
    /// Exit code; minus the signal's number if one ended it.
    var code: Int32
    var out: String
    var complaint: String

    var description: String { "exit \(code)\nout: \(out)\nerr: \(complaint)" }

    /// Lines of standard output that are JSON objects.
    var objects: [JSONObject] {
        out.split(separator: "\n").compactMap { try? JSONObject.parse(Array($0.utf8)) }
    }

    /// The only line of standard output.
    func object() throws -> JSONObject { try JSONObject.parse(Array(out.utf8)) }
    func value() throws -> JSONValue { try JSONValue.parse(Array(out.utf8)) }

    /// The error object on standard error.
    func error() throws -> JSONObject {
        guard let error = try JSONObject.parse(Array(complaint.utf8))["error"]?.object else {
            throw Place.Missing(description: "No error object. \(self)")
        }
        return error
    }
}
