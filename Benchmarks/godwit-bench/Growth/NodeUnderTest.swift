import ArgumentParser
import GodwitCarrier
import GodwitProtocol
import Synchronization

/// A running node whose figures are taken at one size after the other. See Benchmarks/growth.sh, which starts it.
struct NodeUnderTest: ParsableArguments {
    @Option(help: "WebSocket address of the node, ws:// on loopback.")
    var endpoint: String
    @Option(help: "Id of the node.")
    var node: String
    @Option(help: "Process of the node, whose memory is read.")
    var pid: Int32
    @Option(help: "Sizes, smallest first, comma separated.")
    var sizes: String
    @OptionGroup var report: ReportOptions

    func rungs() throws -> [Int] {
        let rungs = sizes.split(separator: ",").compactMap { Int($0) }
        guard rungs.count > 0, rungs == rungs.sorted() else { throw ValidationError("--sizes is 10,100,1000.") }
        return rungs
    }

    func open(
        _ name: String, onMessage: @escaping @Sendable (_ id: String, _ arrival: Int64) -> Void = { _, _ in }
    ) async throws -> LoadClient {
        try await LoadClient.open(
            try LoadPerson(name, at: try NodeID(node)), at: try Endpoint(endpoint), onMessage: onMessage)
    }

    func addMemory(_ result: inout Report) throws {
        result.add("resident_mb", Double(try ProcessFile.kilobytes("VmRSS", of: pid)) / 1_000, places: 1)
    }
}

/// One writer and one reader, connected: how long a message takes from the one to the other while nothing else goes on.
final class MeasuredPair: Sendable {
    static let usualCount = 300
    let author: LoadClient
    let reader: LoadClient
    private let ledger: RoutingLedger
    private let pid: Int32
    private let reading: [Task<Void, any Error>]

    init(_ node: NodeUnderTest, _ tag: String) async throws {
        // Both say what they have, or the node would keep the rest in its spool.
        let (ledger, credit, authorCredit) = (RoutingLedger(), Credit(), Credit())
        let reader = try await node.open("reader-\(tag)") {
            ledger.arrived($0)
            credit.arrived($1)
        }
        let author = try await node.open("author-\(tag)") { authorCredit.arrived($1) }
        credit.reader.withLock { $0 = reader }
        authorCredit.reader.withLock { $0 = author }
        (self.ledger, self.author, self.reader, pid) = (ledger, author, reader, node.pid)
        reading = [author, reader].map { client in Task.immediate { try await client.read() } }
    }

    /// Times from sending to arrival, one message after the other. `next` makes the data of `send_message`.
    func measure(
        _ name: String, _ result: inout Report, count: Int = usualCount, next: () -> JSONObject
    ) async throws {
        let before = try ProcessFile.processorSeconds(of: pid)
        for number in 1...count {
            let data = next()
            ledger.left(data["message"]?.object?["id"]?.string ?? "", dueAt: .now)
            try await author.ask("send_message", data)
            try await ledger.settled(number)
        }
        let used = try ProcessFile.processorSeconds(of: pid) - before
        let times = ledger.take().sorted()
        guard times.count == count else { throw ProtocolError.malformed("Only \(times.count) arrived.") }
        result.add("\(name)_p50_ms", times[times.count / 2] * 1_000, places: 2)
        result.add("\(name)_p99_ms", times[times.count * 99 / 100] * 1_000, places: 2)
        // What the node computes for each hangs less on who else is at work.
        result.add("\(name)_node_ms", used / Double(count) * 1_000, places: 2)
    }

    func close() async {
        for task in reading { task.cancel() }
        await author.close()
        await reader.close()
    }
}
