import Glibc
import GodwitNode
import GodwitProtocol
import GodwitSpool
import Synchronization

/// A node of the demo: a process that can be killed and started again.
final class DemoNode: Sendable {
    let home: HomeOptions
    let descriptor: NodeDescriptor
    let port: Int
    /// Where its clients and peers reach it.
    let address: String
    private let namespace: String?
    private let log: String
    private let running = Mutex<(child: ChildProcess, task: Task<Void, Never>)?>(nil)

    /// Makes the node; it does not run yet.
    init(
        directory: String, name: String, endpoints: [String], address: String, port: Int, profiles: String, tls: Bool,
        namespace: String?
    ) throws {
        var home = HomeOptions()
        home.home = directory
        home.json = true
        self.home = home
        self.port = port
        self.address = address
        self.namespace = namespace
        log = directory + "/node.log"
        try Wiring.makeDirectory(directory)
        descriptor = try NodeHome.create(
            in: home.nodeDirectory, name: name, endpoints: endpoints, at: Wiring.now
        ).descriptor
        var settings = NodeSettings(home)
        settings.spool = directory + "/spool"
        settings.listen = "\(address):\(port)"
        settings.profiles = profiles
        settings.tls = tls
        if let datagrams = endpoints.first(where: { $0.hasPrefix("udp://") }) {
            settings.listenUDP = String(datagrams.dropFirst("udp://".count))
        }
        try DurableFile.write(Array(settings.yaml(for: home).utf8), to: home.nodeDirectory + "/node.yaml")
    }

    /// Starts the process and waits until it listens.
    func start() async throws {
        let child = try await ChildProcess.start(
            ["node", "run", "--json", "--home", home.home], log: log, namespace: namespace)
        let (ready, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let task = Task {
            await child.run { event in
                if event["event"]?.string == "listening" { signal.yield() }
            }
            signal.finish()
        }
        running.withLock { $0 = (child, task) }
        var iterator = ready.makeAsyncIterator()
        guard await iterator.next() != nil else {
            throw ProtocolError(
                .internalError, "A node of the demo did not start.", hint: "Its log is \(log) (use --keep).")
        }
    }

    /// Ends the process at once or politely, and waits for it.
    func stop(_ signal: Int32) async {
        let current = running.withLock { state in
            defer { state = nil }
            return state
        }
        guard let current else { return }
        current.child.kill(signal)
        _ = await current.child.ended()
        current.task.cancel()
        await current.task.value
    }

    /// Asks the running node; nil while it is away.
    func ask(_ request: JSONObject) async -> JSONValue? {
        guard let reply = try? await NodeControl.askRunning(request, home.controlPath) else { return nil }
        return reply["result"]
    }

    /// Asks and insists.
    func require(_ request: JSONObject) async throws -> JSONValue {
        guard let reply = try await NodeControl.askRunning(request, home.controlPath) else {
            throw ProtocolError(.nodeUnreachable, "A node of the demo does not answer.", hint: "Its log is \(log).")
        }
        if let error = ProtocolError(object: reply) { throw error }
        return reply["result"] ?? .null
    }
}
