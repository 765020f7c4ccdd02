import ArgumentParser
import Glibc
import GodwitClient
import GodwitContact
import GodwitProtocol

/// A device: what a send costs until it is durable, and what a week of messages costs in one contact.
struct ClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client", abstract: "Measure sends, and a contact that pulls a week of messages.")

    @Option(help: "Messages that are sent one after the other.")
    var sends = 2_000
    @Option(help: "Messages that wait at the node.")
    var messages = 5_000
    @Option(help: "Conversations in which they were written: half of them channels.")
    var conversations = 40
    @Option(help: "Directory on the disk that is measured.")
    var directory = "/tmp"
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let scratch = try Scratch(in: directory)
        let scene = try await ClientScene(in: scratch.path + "/scene", devices: conversations + 1)
        defer {
            scene.remove()
            scratch.remove()
        }
        var result = Report(name: "client")
        try await write(scene)
        let watch = Watch()
        let pulled = try await scene.sync(0)
        let seconds = watch.seconds
        let read = try await scene.devices[0].device.status().inbox
        guard read == messages / conversations * conversations else {
            throw ProtocolError(.internalError, "\(read) of the messages arrived.")
        }
        result.add("pulled_messages", read)
        result.add("pulled_conversations", conversations)
        result.add("pull_seconds", seconds, places: 2)
        result.add("pull_bytes_down", pulled.received.bytes)
        result.add("pull_bytes_up", pulled.sent.bytes)
        result.add("pull_bytes_per_message", Double(pulled.received.bytes) / Double(read), places: 1)
        result.add("pull_exchanges", pulled.exchanges)
        try await measureSends(scene, &result)
        try await scene.close()
        try result.publish(report)
    }

    /// Every author writes to the first device: half of them in a channel, half of them to its user.
    private func write(_ scene: ClientScene) async throws {
        let reader = scene.devices[0].device
        for number in 0..<conversations / 2 { try await reader.createChannel(try ChannelName("#bench-\(number)")) }
        _ = try await scene.sync(0)
        let home = reader.homeNode.id
        for author in 1...conversations {
            let device = scene.devices[author].device
            var target = MessageTarget.user(reader.userID)
            if author <= conversations / 2 {
                let id = ChannelID(name: try ChannelName("#bench-\(author - 1)"), node: home)
                try await device.joinChannel(id)
                target = .channel(id)
            }
            try await device.send(text: "hello", to: target)
        }
        try await scene.settle()
        let before = try await reader.status().inbox
        guard before == conversations else { throw ProtocolError(.internalError, "\(before) greetings arrived.") }
        for entry in try await reader.inbox(limit: .max) {
            guard let author = scene.devices.firstIndex(where: { $0.device.userID == entry.author }) else { continue }
            let target: MessageTarget =
                if case .channel(let id) = entry.conversation { .channel(id) } else { .user(reader.userID) }
            for number in 1..<messages / conversations {
                let text = "The water at the bridge stands \(number * 7919 % 400) cm above the mark, and rises."
                try await scene.devices[author].device.send(text: text, to: target)
            }
            while try await scene.sync(author).more {}
        }
    }

    private func measureSends(_ scene: ClientScene, _ result: inout Report) async throws {
        let device = scene.devices[1].device
        guard let channel = try await device.channels().first?.id else { return }
        var times: [Double] = []
        for number in 0..<sends {
            let watch = Watch()
            try await device.send(text: "Message \(number) goes when the link is there.", to: .channel(channel))
            times.append(watch.seconds)
        }
        times.sort()
        result.add("sends", sends)
        result.add("send_p50_ms", times[times.count / 2] * 1_000, places: 2)
        result.add("send_p99_ms", times[times.count * 99 / 100] * 1_000, places: 2)
        result.add("send_max_ms", (times.last ?? 0) * 1_000, places: 2)
    }
}

/// A device in many channels that has nothing to do. Made by one process and measured in another, so that nothing of the
/// node counts.
struct ClientIdleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-idle", abstract: "Measure the memory and time of a device in many channels that is idle.",
        discussion: "First with --prepare, then without, on the same directory.")

    @Option(help: "Directory of the devices.")
    var directory: String
    @Flag(help: "Make the devices and their channels.")
    var prepare = false
    @Option(help: "Channels, each with two members who have written.")
    var channels = 1_000
    @Option(help: "Seconds to watch; a contact is tried every one.")
    var seconds = 20
    @OptionGroup var report: ReportOptions

    func run() async throws {
        guard !prepare else { return try await make() }
        let device = try await Device(directory: directory + "/device-0", time: SystemTime())
        let known = try await device.channels().count { $0.state == .member }
        let unread = try await device.conversations().reduce(0) { $0 + $1.unread }
        let before = Self.processorTime()
        for _ in 0..<seconds {
            try await Task.sleep(for: .seconds(1))
            // Nobody answers: what is due by time is looked at all the same.
            do { _ = try await device.sync(over: Silence()) } catch is ProtocolError {}
        }
        let used = Self.processorTime() - before
        var result = Report(name: "client-idle")
        result.add("channels", known)
        result.add("unread", unread)
        result.add("anonymous_mb", Double(try Self.memory("RssAnon:")) / 1_000, places: 1)
        result.add("resident_mb", Double(try Self.memory("VmRSS:")) / 1_000, places: 1)
        result.add("processor_percent", used / Double(seconds) * 100, places: 2)
        try await device.close()
        try result.publish(report)
    }

    private func make() async throws {
        let scene = try await ClientScene(in: directory, devices: 2)
        let (one, other) = (scene.devices[0].device, scene.devices[1].device)
        for number in 0..<channels { try await one.createChannel(try ChannelName("#idle-\(number)")) }
        while try await scene.sync(0).more {}
        let all = try await one.channels().map(\.id)
        for id in all { try await other.joinChannel(id) }
        try await scene.settle()
        for id in all {
            try await one.send(text: "hello", to: .channel(id))
            try await other.send(text: "hello", to: .channel(id))
        }
        try await scene.settle()
        try await scene.close()
    }

    private static func processorTime() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// kB of a line of this process's status.
    private static func memory(_ name: String) throws -> Int {
        guard let file = fopen("/proc/self/status", "r") else {
            throw ProtocolError(.internalError, "The process's status cannot be read.")
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(name) { return text.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0 }
        }
        return 0
    }
}
