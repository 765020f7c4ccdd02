import ArgumentParser
import Glibc
import GodwitClient
import GodwitProtocol

/// How long a person waits for `send`: encrypted, signed and durable in the device's own spool when it returns.
struct ClientSendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-send", abstract: "Measure how long writing a message takes on a device.",
        discussion: "See Benchmarks/client.sh, which makes the homes and starts their node.")

    @Option(help: "Directory of homes that are registered: the first writes, the others read.")
    var homes: String
    @Option(help: "Messages in each kind of conversation.")
    var messages = 2_000
    @OptionGroup var report: ReportOptions

    /// Messages between two contacts of the author.
    private static let between = 200

    func run() async throws {
        let homes = try await ClientHome.all(in: homes)
        guard let author = homes.first, homes.count > 1 else { throw ValidationError("Two homes are needed.") }
        let readers = homes.dropFirst()
        let name = try ChannelName("#send-\(UInt32.random(in: 0 ... .max))")
        let channel = ChannelID(name: name, node: author.device.userID.node)
        try await author.device.createChannel(name)
        try await author.sync()
        for reader in readers { try await reader.device.joinChannel(channel) }
        let partner = readers[readers.startIndex].device
        try await author.device.send(text: "Are you there?", to: .user(partner.userID))
        try await homes.settle()
        // From the answer on both have a session.
        try await partner.send(text: "I am.", to: .user(author.device.userID))
        try await homes.settle()
        var result = Report(name: "client-send")
        result.add("messages", messages)
        result.add("channel_members", homes.count)
        try await measure("direct", author, .user(partner.userID), &result)
        try await measure("channel", author, .channel(channel), &result)
        try await homes.close()
        try result.publish(report)
    }

    private func measure(
        _ kind: String, _ author: ClientHome, _ target: MessageTarget, _ result: inout Report
    ) async throws {
        var times: [Double] = []
        for number in 0..<messages {
            let watch = Watch()
            let entry = try await author.device.send(text: SampleTexts.text(number), to: target)
            times.append(watch.seconds)
            guard entry.state == .sealed else { throw ProtocolError.malformed("A message waits for keys.") }
            if number % Self.between == Self.between - 1 { try await author.sync() }
        }
        times.sort()
        result.add("\(kind)_p50_ms", times[times.count / 2] * 1_000, places: 2)
        result.add("\(kind)_p99_ms", times[times.count * 99 / 100] * 1_000, places: 2)
        result.add("\(kind)_most_ms", times[times.count - 1] * 1_000, places: 2)
    }
}
