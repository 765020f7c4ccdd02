import ArgumentParser
import Glibc
import GodwitProtocol

/// A channel that more and more devices join: what the next join and a message cost. All members but one are away, so
/// that what is for them is queued.
struct GrowthMembersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth-members", abstract: "Measure how a node's work grows with the members of a channel.")

    @OptionGroup var node: NodeUnderTest
    /// The last joins before a size whose time is taken.
    private static let joins = 10
    /// Copies that are queued at each size: one author's share of the spool is 64 MiB, and every copy counts.
    private static let copies = 20_000

    func run() async throws {
        let tag = String(UInt32.random(in: 0 ... .max), radix: 36)
        let pair = try await MeasuredPair(node, tag)
        let channel = "#all-\(tag)"
        try await pair.author.ask("create_channel", pair.author.channelCommand("create_channel", channel))
        try await pair.reader.ask("join_channel", pair.reader.channelCommand("join_channel", channel))
        var members = 2
        for size in try node.rungs() {
            var result = Report(name: "growth-members")
            var times: [Double] = []
            while members < size {
                let client = try await node.open("member-\(members)-\(tag)")
                let reading = Task.immediate { try await client.read() }
                let watch = Watch()
                try await client.ask("join_channel", client.channelCommand("join_channel", channel))
                times.append(watch.seconds)
                reading.cancel()
                await client.close()
                members += 1
            }
            let last = times.suffix(Self.joins).sorted()
            result.add("members", members)
            if !last.isEmpty { result.add("join_p50_ms", last[last.count / 2] * 1_000, places: 2) }
            let count = max(1, min(MeasuredPair.usualCount, Self.copies / size))
            try await pair.measure("message", &result, count: count) { pair.author.message(in: channel) }
            result.add("timed", count)
            try node.addMemory(&result)
            try result.publish(node.report)
        }
        await pair.close()
    }
}
