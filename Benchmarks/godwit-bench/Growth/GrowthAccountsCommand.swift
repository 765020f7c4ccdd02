import ArgumentParser
import Glibc
import GodwitProtocol

/// The same messages and joins on a node with more and more accounts.
struct GrowthAccountsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth-accounts", abstract: "Measure how a node's work grows with the number of its accounts.")

    @OptionGroup var node: NodeUnderTest
    /// Devices that join a channel of their own at each size.
    private static let joins = 20

    func run() async throws {
        let tag = String(UInt32.random(in: 0 ... .max), radix: 36)
        let pair = try await MeasuredPair(node, tag)
        let channel = "#few-\(tag)"
        try await pair.author.ask("create_channel", pair.author.channelCommand("create_channel", channel))
        try await pair.reader.ask("join_channel", pair.reader.channelCommand("join_channel", channel))
        var accounts = 2
        for size in try node.rungs() {
            var result = Report(name: "growth-accounts")
            let watch = Watch()
            let from = accounts
            while accounts < size - Self.joins - 1 {
                try await register(accounts..<min(accounts + 50, size - Self.joins - 1), tag)
                accounts = min(accounts + 50, size - Self.joins - 1)
            }
            let registered = accounts - from
            let seconds = watch.seconds
            let joins = try await join(size, tag)
            accounts += Self.joins + 1
            result.add("accounts", accounts)
            result.add("registration_ms", registered > 0 ? seconds / Double(registered) * 1_000 : 0, places: 2)
            try await pair.measure("direct", &result) { pair.author.message(to: pair.reader.id) }
            try await pair.measure("channel", &result) { pair.author.message(in: channel) }
            result.add("join_p50_ms", joins[joins.count / 2] * 1_000, places: 2)
            result.add("join_most_ms", joins[joins.count - 1] * 1_000, places: 2)
            try node.addMemory(&result)
            try result.publish(node.report)
        }
        await pair.close()
    }

    private func register(_ numbers: Range<Int>, _ tag: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in numbers {
                group.addTask { await (try await node.open("person-\(number)-\(tag)")).close() }
            }
            try await group.waitForAll()
        }
    }

    private func join(_ size: Int, _ tag: String) async throws -> [Double] {
        var times: [Double] = []
        for number in 0...Self.joins {
            let client = try await node.open("joiner-\(size)-\(number)-\(tag)")
            let reading = Task.immediate { try await client.read() }
            let name = number == 0 ? "create_channel" : "join_channel"
            let watch = Watch()
            try await client.ask(name, client.channelCommand(name, "#joins-\(size)-\(tag)"))
            if number > 0 { times.append(watch.seconds) }
            reading.cancel()
            await client.close()
        }
        return times.sorted()
    }
}
