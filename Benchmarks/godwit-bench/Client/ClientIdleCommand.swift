import ArgumentParser
import Glibc
import GodwitClient
import GodwitProtocol

/// A client that sits in many channels and waits: `godwit chat`, connected live, while now and then something comes.
struct ClientIdleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-idle", abstract: "Measure a live client in many channels, and what it costs its node.",
        discussion: "See Benchmarks/client.sh, which makes the homes and starts their node.")

    @Option(help: "Directory of homes that are registered: the first listens, the others write.")
    var homes: String
    @Option(help: "The program that is measured.")
    var godwit: String
    @Option(help: "Process of the node.")
    var nodePid: Int32
    @Option(help: "Channels that the client is in.")
    var channels = 1_000
    @Option(help: "Messages in each channel before the clock starts.")
    var messages = 5
    @Option(help: "Members of each channel beside the one who listens.")
    var members = 3
    @Option(help: "Seconds that are measured.")
    var seconds = 60
    @Option(help: "Messages a minute meanwhile, all in different channels.")
    var rate = 6
    @Flag(name: .customLong("prepare"), help: "Make the channels and what is said there, and measure nothing.")
    var isPreparing = false
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let all = try await ClientHome.all(in: homes)
        guard let listener = all.first, all.count > members else {
            throw ValidationError("One home more than --members is needed.")
        }
        let others = Array(all.dropFirst())
        guard !isPreparing else {
            try await prepare(listener, others)
            return try await all.close()
        }
        let directory = listener.directory
        let before = try await listener.device.status()
        let joined = try await listener.device.channels().filter { $0.state == .member }.map(\.id)
        var targets: [(author: ClientHome, channel: ChannelID)] = []
        for other in others {
            targets += try await other.device.channels().filter { $0.state == .member }.map { (other, $0.id) }
        }
        var result = Report(name: "client-idle")
        result.add("channels", joined.count)
        result.add("members", members + 1)
        result.add("messages", before.inbox)
        try await listener.device.close()
        let quiet = try ProcessFile.kilobytes("VmRSS", of: nodePid)
        let start = ContinuousClock.now
        let client = try MeasuredProgram(
            godwit, ["chat", "--plain", "--json", "--home", directory], output: directory + "/chat.json")
        try await Task.sleep(for: .seconds(15))
        let said = try await listen(client, targets, since: quiet, &result)
        client.leave()
        let usage = try await client.ended(since: start)
        result.add("exit_status", Int(usage.status))
        result.add("client_peak_mb", Double(usage.peakKilobytes) / 1_000, places: 1)
        let device = try await ClientHome(directory).device
        result.add("said", said)
        result.add("heard", try await device.status().inbox - before.inbox)
        try await device.close()
        try await others.close()
        try result.publish(report)
    }

    /// Channels of everybody, with the listener in each.
    private func prepare(_ listener: ClientHome, _ others: [ClientHome]) async throws {
        let tag = UInt32.random(in: 0 ... .max)
        var targets: [(author: ClientHome, channel: ChannelID)] = []
        for number in 0..<channels {
            let owner = others[number % others.count]
            let name = try ChannelName("#idle-\(number)-\(tag)")
            try await owner.device.createChannel(name)
            targets.append((owner, ChannelID(name: name, node: owner.device.userID.node)))
        }
        try await others.settle()
        for (number, target) in targets.enumerated() {
            let joining = (1..<members).map { others[(number + $0) % others.count] } + [listener]
            for member in joining { try await member.device.joinChannel(target.channel) }
        }
        try await ([listener] + others).settle()
        for number in 0..<messages {
            for (index, target) in targets.enumerated() {
                let text = SampleTexts.text(index * messages + number)
                try await target.author.device.send(text: text, to: .channel(target.channel))
            }
        }
        try await ([listener] + others).settle()
    }

    /// - Parameter quiet: kB of the node before the client came.
    /// - Returns: messages that were sent meanwhile.
    private func listen(
        _ client: MeasuredProgram, _ targets: [(author: ClientHome, channel: ChannelID)], since quiet: Int,
        _ result: inout Report
    ) async throws -> Int {
        let watch = Watch()
        let start = ContinuousClock.now
        let used = try ProcessFile.processorSeconds(of: client.pid)
        let served = try ProcessFile.processorSeconds(of: nodePid)
        let count = seconds * rate / 60
        for number in 0..<count {
            try await Task.sleep(until: start + .seconds(number * 60 / rate))
            let target = targets[number * 7 % targets.count]
            try await target.author.device.send(text: SampleTexts.text(number), to: .channel(target.channel))
            try await target.author.sync()
        }
        try await Task.sleep(until: start + .seconds(seconds))
        let whole = watch.seconds
        let share = (try ProcessFile.processorSeconds(of: client.pid) - used) / whole
        result.add("seconds", whole, places: 1)
        result.add("messages_per_minute", rate)
        result.add("client_core_percent", share * 100, places: 2)
        let resident = try ProcessFile.kilobytes("VmRSS", of: client.pid)
        let anonymous = try ProcessFile.kilobytes("RssAnon", of: client.pid)
        let node = try ProcessFile.kilobytes("VmRSS", of: nodePid)
        result.add("client_mb", Double(resident) / 1_000, places: 1)
        result.add("client_anonymous_mb", Double(anonymous) / 1_000, places: 1)
        result.add("node_mb", Double(node) / 1_000, places: 1)
        result.add("node_growth_mb", Double(node - quiet) / 1_000, places: 1)
        result.add(
            "node_core_percent", (try ProcessFile.processorSeconds(of: nodePid) - served) / whole * 100, places: 2)
        return count
    }
}
