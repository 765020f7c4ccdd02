import ArgumentParser
import Glibc
import GodwitCarrier
import GodwitProtocol

/// Many sockets with a session and nothing to say: what each costs the node. Then joins of a channel, one after the other.
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "Measure what idle sessions and joins of a channel cost a running node.")

    @Option(help: "WebSocket address of the node, ws:// on loopback.")
    var endpoint: String
    @Option(help: "Id of the node.")
    var node: String
    @Option(help: "Process of the node, whose memory is read.")
    var pid: Int32
    @Option(help: "Sessions that are opened.")
    var sessions = 10_000
    @Option(help: "Devices that join a channel, one after the other.")
    var joins = 200
    @OptionGroup var report: ReportOptions

    func run() async throws {
        var limit = rlimit(rlim_cur: 65_536, rlim_max: 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let (endpoint, home) = (try Endpoint(endpoint), try NodeID(node))
        var result = Report(name: "sessions")
        try await measureJoins(endpoint, home, &result)
        let before = try resident()
        let watch = Watch()
        var open: [LoadClient] = []
        let tag = String(UInt32.random(in: 0 ... .max), radix: 36)
        while open.count < sessions {
            let start = open.count
            let batch = min(50, sessions - start)
            open += try await withThrowingTaskGroup(of: LoadClient.self) { group in
                for number in start..<start + batch {
                    group.addTask {
                        try await LoadClient.open(try LoadPerson("idle-\(number)-\(tag)", at: home), at: endpoint)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        result.add("sessions", sessions)
        result.add("opened_per_second", Double(sessions) / watch.seconds)
        // Until nothing waits for a login any more.
        try await Task.sleep(for: .seconds(35))
        let after = try resident()
        result.add("resident_before_mb", Double(before) / 1_000, places: 1)
        result.add("resident_mb", Double(after) / 1_000, places: 1)
        result.add("kb_per_session", Double(after - before) / Double(sessions), places: 1)
        try result.publish(report)
        // Nobody waits for ten thousand close handshakes.
        Glibc.exit(0)
    }

    private func measureJoins(_ endpoint: Endpoint, _ home: NodeID, _ result: inout Report) async throws {
        guard joins > 0 else { return }
        let tag = String(UInt32.random(in: 0 ... .max), radix: 36)
        var times: [Double] = []
        for number in 0...joins {
            let client = try await LoadClient.open(try LoadPerson("joiner-\(number)-\(tag)", at: home), at: endpoint)
            let reading = Task.immediate { try await client.read() }
            let name = number == 0 ? "create_channel" : "join_channel"
            let watch = Watch()
            try await client.ask(name, client.channelCommand(name, "#load-\(tag)"))
            if number > 0 { times.append(watch.seconds) }
            reading.cancel()
            await client.close()
        }
        times.sort()
        result.add("joins", joins)
        result.add("join_p50_ms", times[times.count / 2] * 1_000, places: 2)
        result.add("join_p99_ms", times[times.count * 99 / 100] * 1_000, places: 2)
    }

    /// Resident kB of the node.
    private func resident() throws -> Int { try ProcessFile.kilobytes("VmRSS", of: pid) }
}
