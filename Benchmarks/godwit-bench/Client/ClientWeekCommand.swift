import ArgumentParser
import Glibc
import GodwitClient
import GodwitProtocol

/// A device that was away for a week: many messages of many conversations wait at its home node, and `godwit sync` pulls
/// them in one contact.
struct ClientWeekCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-week", abstract: "Measure a contact that brings what has come in a week.",
        discussion: "See Benchmarks/client.sh, which makes the homes and starts their node.")

    @Option(help: "Directory of homes that are registered: the first was away, the others write.")
    var homes: String
    @Option(help: "The program that is measured.")
    var godwit: String
    @Option(help: "Messages that wait.")
    var messages = 5_000
    @Option(help: "Channels; each other home has a direct conversation besides.")
    var channels = 15
    @Option(help: "Members of each channel beside the one who was away.")
    var members = 5
    @Flag(help: "Put the store under a key before, by the passphrase in GODWIT_STORE_PASSPHRASE.")
    var locked = false
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let all = try await ClientHome.all(in: homes)
        guard let reader = all.first, all.count > members else {
            throw ValidationError("One home more than --members is needed.")
        }
        let lines = try await prepare(reader, Array(all.dropFirst()))
        try await all.settle()
        let before = try await reader.device.status()
        for number in 0..<messages {
            let line = lines[number % lines.count]
            let author = line.authors[number / lines.count % line.authors.count]
            try await author.device.send(text: SampleTexts.text(number), to: line.target)
        }
        // The authors' contacts only: for the one who was away everything waits.
        try await Array(all.dropFirst()).settle()
        let directory = reader.directory
        try await all.close()
        var result = Report(name: "client-week")
        result.add("messages", messages)
        result.add("conversations", lines.count)
        result.add("locked", locked ? 1 : 0)
        if locked { try await device("lock", directory) }
        try await measure(directory, &result)
        if locked { try await device("unlock", directory) }
        let device = try await ClientHome(directory).device
        let after = try await device.status()
        result.add("messages_read", after.inbox - before.inbox)
        result.add("warnings", after.warnings - before.warnings)
        try await device.close()
        try result.publish(report)
    }

    /// A conversation, and who writes to it.
    private struct Line {
        var target: MessageTarget
        var authors: [ClientHome]
    }

    private func prepare(_ reader: ClientHome, _ others: [ClientHome]) async throws -> [Line] {
        var lines: [Line] = []
        let tag = UInt32.random(in: 0 ... .max)
        for number in 0..<channels {
            let authors = (0..<members).map { others[(number + $0) % others.count] }
            let name = try ChannelName("#week-\(number)-\(tag)")
            try await authors[0].device.createChannel(name)
            try await authors[0].sync()
            let id = ChannelID(name: name, node: reader.device.userID.node)
            for member in authors.dropFirst() + [reader] { try await member.device.joinChannel(id) }
            lines.append(Line(target: .channel(id), authors: authors))
        }
        for other in others {
            try await other.device.send(text: "Hello!", to: .user(reader.device.userID))
            lines.append(Line(target: .user(reader.device.userID), authors: [other]))
        }
        try await ([reader] + others).settle()
        for other in others { try await reader.device.send(text: "Hello.", to: .user(other.device.userID)) }
        try await ([reader] + others).settle()
        return lines
    }

    /// `godwit device lock` or `unlock`.
    private func device(_ action: String, _ home: String) async throws {
        let program = try MeasuredProgram(godwit, ["device", action, "--home", home], output: home + "/lock.out")
        guard try await program.ended(since: .now).status == 0 else {
            throw ProtocolError.malformed("godwit device \(action) failed, see \(home)/lock.out.err.")
        }
    }

    private func measure(_ home: String, _ result: inout Report) async throws {
        let start = ContinuousClock.now
        let program = try MeasuredProgram(godwit, ["sync", "--home", home, "--json"], output: home + "/sync.json")
        let usage = try await program.ended(since: start)
        guard usage.status == 0, let contact = try program.lines().first else {
            throw ProtocolError.malformed("godwit sync failed, see \(home)/sync.json.err.")
        }
        for name in ["round_trips", "received", "bytes_up", "bytes_down"] {
            result.add(name, Int(contact[name]?.integer ?? 0))
        }
        result.add("seconds", usage.seconds, places: 2)
        result.add("processor_seconds", usage.processorSeconds, places: 2)
        result.add("peak_mb", Double(usage.peakKilobytes) / 1_000, places: 1)
        // What one contact has left for a second one.
        let again = try MeasuredProgram(godwit, ["sync", "--home", home, "--json"], output: home + "/again.json")
        _ = try await again.ended(since: start)
        result.add("left_for_a_second_contact", Int(try again.lines().first?["received"]?.integer ?? 0))
    }
}
