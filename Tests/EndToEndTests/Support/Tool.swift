import GodwitProtocol

/// The command line in a scratch directory.
struct Tool: Sendable {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Runs a command and waits for its end.
    @discardableResult
    func run(
        _ arguments: String..., input: [UInt8] = [], environment: [String: String] = [:],
        within limit: Duration = .seconds(60)
    ) async throws -> Outcome {
        try await start(arguments, input: input, environment: environment).ended(within: limit)
    }

    func start(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
    ) throws -> Child {
        try Child(try Place.godwit(), arguments, in: scratch.path, input: input, environment: environment)
    }

    /// Runs a command with `--json` that has to succeed.
    @discardableResult
    func json(_ arguments: String...) async throws -> JSONObject {
        let outcome = try await start(arguments + ["--json"]).ended()
        guard outcome.code == 0 else { throw Place.Missing(description: "\(arguments): \(outcome)") }
        return try outcome.object()
    }

    /// Messages that a device has, as (author, conversation, text).
    func read(_ home: String) async throws -> [JSONObject] {
        let outcome = try await run("read", "--home", home, "--json", "--limit", "1000")
        guard outcome.code == 0 else { throw Place.Missing(description: "read: \(outcome)") }
        return outcome.objects
    }

    /// The texts of them.
    func texts(_ home: String) async throws -> [String] {
        try await read(home).compactMap { $0["text"]?.string }
    }
}

/// A node of a test: a home in the scratch directory and, once started, a process.
final class Site: Sendable {
    let tool: Tool
    let home: String
    let port: Int
    let descriptor: JSONObject

    var id: String { descriptor["id"]?.string ?? "" }
    var descriptorFile: String { home + "/node/node.json" }
    var socketURL: String { "wss://127.0.0.1:\(port)" }

    init(_ tool: Tool, _ home: String) async throws {
        let port = try Place.freePort()
        let made = try await tool.json(
            "node", "init", "--home", home, "--name", home, "--listen", "127.0.0.1:\(port)", "--endpoint",
            "https://127.0.0.1:\(port)")
        guard let descriptor = made["descriptor"]?.object else {
            throw Place.Missing(description: "No descriptor in \(made.canonicalText)")
        }
        (self.tool, self.home, self.port, self.descriptor) = (tool, home, port, descriptor)
    }

    /// A node that runs, in a scratch directory of its own.
    static func started() async throws -> (Site, Child) {
        let site = try await Site(Tool(), "harbour")
        return (site, try await site.start())
    }

    /// Starts the process and waits until it listens.
    func start() async throws -> Child {
        let child = try tool.start(["node", "run", "--home", home, "--json"])
        let event = try JSONObject.parse(try await child.line())
        guard event["event"]?.string == "listening", event["port"]?.integer == Int64(port) else {
            throw Place.Missing(description: "The node says \(event.canonicalText)")
        }
        return child
    }

    /// Makes a user of this node with a device in a home of its own, and registers it while the node runs.
    func enrol(_ name: String, home: String) async throws -> String {
        try tool.scratch.write("correct horse battery staple\n", to: "passphrase")
        let made = try await tool.json(
            "identity", "create", name, "--home", home, "--node", descriptorFile, "--passphrase-file", "passphrase")
        try await tool.json("register", "--home", home, "--passphrase-file", "passphrase")
        return made["user_id"]?.string ?? ""
    }
}
