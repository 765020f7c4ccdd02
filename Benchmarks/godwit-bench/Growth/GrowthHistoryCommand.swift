import ArgumentParser
import Glibc
import GodwitProtocol

/// A channel with a longer and longer history: what the next message and its last page cost.
struct GrowthHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth-history", abstract: "Measure how a node's work grows with the history of a channel.")

    @OptionGroup var node: NodeUnderTest
    @Option(help: "Directory of the node's spool, whose size is told.")
    var spool: String
    /// Messages on their way while the history is made.
    private static let window = 64
    /// Questions for the last page whose time is taken.
    private static let questions = 100

    func run() async throws {
        let tag = String(UInt32.random(in: 0 ... .max), radix: 36)
        let pair = try await MeasuredPair(node, tag)
        let channel = "#long-\(tag)"
        try await pair.author.ask("create_channel", pair.author.channelCommand("create_channel", channel))
        var messages = 0
        for size in try node.rungs() {
            var result = Report(name: "growth-history")
            let watch = Watch()
            let from = messages
            let missing = max(0, size - messages)
            try await fill(channel, by: pair.author, missing)
            messages += missing
            result.add("messages", messages)
            result.add("filled_per_second", Double(messages - from) / watch.seconds)
            try await post(channel, pair.author, &result)
            messages += Self.questions
            try await page(channel, pair.author, &result)
            try await pair.measure("direct", &result) { pair.author.message(to: pair.reader.id) }
            result.add("spool_mb", Double(ProcessFile.size(spool + "/spool.sqlite")) / 1_000_000, places: 1)
            try node.addMemory(&result)
            try result.publish(node.report)
        }
        await pair.close()
    }

    /// Nobody else is in the channel: the journal grows, and no queue.
    private func fill(_ channel: String, by author: LoadClient, _ count: Int) async throws {
        let start = author.taken
        for number in 0..<count {
            try await wait(for: author, toReach: start + number - Self.window)
            let command = SocketCommand("send_message", author.message(in: channel))
            try await author.send(command.object.canonicalText)
        }
        try await wait(for: author, toReach: start + count)
    }

    /// Waits until so many messages have been taken, at most a minute.
    private func wait(for author: LoadClient, toReach count: Int) async throws {
        let watch = Watch()
        while author.taken < count {
            try await Task.sleep(for: .milliseconds(1))
            guard watch.seconds < 60 else { throw ProtocolError.malformed("The node takes no more messages.") }
        }
    }

    private func post(_ channel: String, _ author: LoadClient, _ result: inout Report) async throws {
        try await measure("post", &result) { try await author.ask("send_message", author.message(in: channel)) }
    }

    private func page(_ channel: String, _ author: LoadClient, _ result: inout Report) async throws {
        let question: JSONObject = ["channel": .string(channel), "limit": 50]
        try await measure("last_page", &result) {
            let page = try await author.ask("history", question)
            guard page["messages"]?.array?.count == 50 else { throw ProtocolError.malformed("The page is short.") }
        }
    }

    private func measure(_ name: String, _ result: inout Report, _ body: () async throws -> Void) async throws {
        var times: [Double] = []
        for _ in 0..<Self.questions {
            let watch = Watch()
            try await body()
            times.append(watch.seconds)
        }
        times.sort()
        result.add("\(name)_p50_ms", times[times.count / 2] * 1_000, places: 2)
        result.add("\(name)_p99_ms", times[times.count * 99 / 100] * 1_000, places: 2)
    }
}
