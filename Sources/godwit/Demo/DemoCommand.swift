import ArgumentParser
import FoundationEssentials
import GodwitProtocol
import UnixSignals

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Carry a conversation over an emulated satellite link between two nodes, and account for every byte.",
        discussion: """
            Starts two nodes and at least four clients as processes of their own on loopback, joined by a relay that
            charges 9,600 bit/s each way and 600 ms round trip, repeats bytes and stalls for each loss it draws, and
            has one outage in the middle of a batch. Enrolment (accounts, keys, channels) happens before the link is
            slowed down. Exit 0 only if every message was decrypted and equal at every reader, exactly once and in
            its author's order.
            """)

    @OptionGroup var options: DemoOptions
    @Flag(help: "Write one JSON object at the end instead of progress and table.")
    var json = false

    func run() async throws {
        let text = try options.corpus.map { String(decoding: try Wiring.read($0, max: 1 << 28), as: UTF8.self) }
        let corpus = try DemoCorpus(lines: text ?? DemoConversation.lines)
        let directory = options.keep ?? FileManager.default.temporaryDirectory.path + "/godwit-demo-\(getpidText())"
        try Wiring.makeDirectory(directory)
        let demo = Demo(options: options, corpus: corpus, directory: directory, display: DemoDisplay(isQuiet: json))
        defer {
            if options.keep == nil { try? FileManager.default.removeItem(atPath: directory) }
        }
        let result = try await untilSignal { try await demo.run() }
        if json { Console.json(result.object) } else { DemoDisplay.table(result) }
        guard result.ledger.isPerfect else { throw ExitCode(Failure.failed) }
    }

    /// Runs until SIGTERM or SIGINT; then the work is cancelled and waited for, so that it leaves no processes behind.
    private func untilSignal<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { break }
                return nil
            }
            defer { group.cancelAll() }
            if let value = try await group.next() ?? nil { return value }
            group.cancelAll()
            _ = try? await group.next()
            throw ProtocolError(.internalError, "The demo was interrupted.", hint: "Start it again for a whole run.")
        }
    }

    private func getpidText() -> String { String(ProcessInfo.processInfo.processIdentifier) }
}
