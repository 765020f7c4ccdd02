import GodwitProtocol

/// Tests/Interop/client.py: a client that was written from the protocol document in another language.
final class ForeignClient: Sendable {
    private let child: Child

    init(_ site: Site, username: String) async throws {
        child = try Child(
            try Place.python(), ["-B", Place.root + "/Tests/Interop/client.py"], in: site.tool.scratch.path, input: nil)
        _ = try await ask([
            "op": "start", "node": .object(site.descriptor), "endpoint": .string(site.socketURL),
            "username": .string(username), "passphrase": "correct horse battery staple",
        ])
    }

    /// A client that is registered and has published its keys.
    static func registered(_ site: Site, _ name: String) async throws -> ForeignClient {
        let client = try await ForeignClient(site, username: name)
        let opened = try await client.ask(["op": "open", "register": true])
        guard opened["result"] != nil else { throw Place.Missing(description: opened.canonicalText) }
        try await client.call("publish")
        return client
    }

    /// Asks the script; an answer that it did not expect itself is a failure.
    func ask(_ request: JSONObject) async throws -> JSONObject {
        try child.send(request.canonicalBytes())
        let answer = try JSONObject.parse(try await child.line())
        guard answer["error"] == nil else {
            throw Place.Missing(description: "\(request.canonicalText.prefix(200)) got \(answer.canonicalText)")
        }
        return answer
    }

    /// Calls a method that has to succeed.
    @discardableResult
    func call(_ method: String, _ arguments: JSONValue...) async throws -> JSONObject {
        let answer = try await ask(["op": "call", "method": .string(method), "arguments": .array(arguments)])
        guard let result = answer["result"]?.object else {
            throw Place.Missing(description: "\(method) got \(answer.canonicalText)")
        }
        return result
    }

    /// Calls a method and returns the code with which the node refused it; nil if it did not.
    func refusal(_ method: String, _ arguments: JSONValue...) async throws -> String? {
        try await ask(["op": "call", "method": .string(method), "arguments": .array(arguments)])["refused"]?.string
    }

    /// Waits until `count` messages more than `seen` are decrypted, and acknowledges them unless told not to.
    func receive(_ count: Int, seen: Int, received: Bool = true) async throws -> [JSONObject] {
        let answer = try await ask([
            "op": "receive", "count": .integer(Int64(count)), "seen": .integer(Int64(seen)),
            "received": .bool(received),
        ])
        return (answer["result"]?.array ?? []).compactMap(\.object)
    }

    /// Waits for an epoch of a channel of the given version of its members.
    func waitForEpoch(_ channel: String, version: Int64) async throws {
        _ = try await ask(["op": "receive", "channel": .string(channel), "version": .integer(version)])
    }
}
