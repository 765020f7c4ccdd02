import ArgumentParser
import GodwitCarrier
import GodwitProtocol
import Synchronization

/// Messages between connected clients of a running node: how long one takes at a given rate, and how many go at most.
struct RoutingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routing", abstract: "Measure how a running node routes messages between connected clients.",
        discussion: "See Benchmarks/routing.sh, which starts the node on a core of its own.")

    @Option(help: "WebSocket address of the node, ws:// on loopback.")
    var endpoint: String
    @Option(help: "Id of the node.")
    var node: String
    @Option(help: "Senders, each with a reader of its own.")
    var pairs = 1
    @Option(help: "Messages a second, over all pairs, while the time of each is taken.")
    var rate = 500
    @Option(help: "Messages whose time is taken.")
    var timed = 10_000
    @Option(help: "Messages sent as fast as they are taken.")
    var messages = 40_000
    @Option(help: "Messages of one pair on their way at the same time, while as many as can be are sent.")
    var window = 128
    @OptionGroup var report: ReportOptions

    func run() async throws {
        let endpoint = try Endpoint(endpoint)
        let ledger = RoutingLedger()
        var lines: [(sender: LoadClient, reader: LoadClient)] = []
        let home = try NodeID(node)
        for number in 0..<pairs {
            let credit = Credit()
            let reader = try await LoadClient.open(try LoadPerson("reader-\(number)-\(tag)", at: home), at: endpoint) {
                ledger.arrived($0)
                credit.arrived($1)
            }
            let sender = try await LoadClient.open(try LoadPerson("sender-\(number)-\(tag)", at: home), at: endpoint)
            credit.reader.withLock { $0 = reader }
            lines.append((sender, reader))
        }
        let open = lines
        try await withThrowingTaskGroup(of: Void.self) { group in
            for line in open {
                group.addTask { try await line.sender.read() }
                group.addTask { try await line.reader.read() }
            }
            var result = Report(name: "routing")
            result.add("pairs", pairs)
            try await measureTimes(open, ledger, &result)
            try await measureMost(open, ledger, &result)
            group.cancelAll()
            for line in open {
                await line.sender.close()
                await line.reader.close()
            }
            try result.publish(report)
        }
    }

    private var tag: String { String(UInt32.random(in: 0 ... .max), radix: 36) }

    /// Open loop: each message is due at its time, whether or not the ones before have arrived.
    private func measureTimes(
        _ lines: [(sender: LoadClient, reader: LoadClient)], _ ledger: RoutingLedger, _ result: inout Report
    ) async throws {
        let start = ContinuousClock.now
        for number in 0..<timed {
            let due = start + .nanoseconds(number * 1_000_000_000 / rate)
            if due > .now { try await Task.sleep(until: due, tolerance: .zero) }
            let line = lines[number % lines.count]
            let (id, text) = line.sender.nextMessage(to: line.reader.id)
            ledger.left(id, dueAt: max(due, start))
            try await line.sender.send(text)
        }
        try await ledger.settled(timed)
        let times = ledger.take().sorted()
        guard times.count == timed else { throw ProtocolError.malformed("Only \(times.count) messages arrived.") }
        result.add("rate", rate)
        result.add("timed", timed)
        result.add("p50_ms", times[timed / 2] * 1_000, places: 2)
        result.add("p99_ms", times[timed * 99 / 100] * 1_000, places: 2)
        result.add("most_ms", times[timed - 1] * 1_000, places: 2)
    }

    /// Closed loop: a pair has at most `window` messages on their way.
    private func measureMost(
        _ lines: [(sender: LoadClient, reader: LoadClient)], _ ledger: RoutingLedger, _ result: inout Report
    ) async throws {
        let (each, window) = (messages / lines.count, window)
        let watch = Watch()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for line in lines {
                group.addTask {
                    let before = ledger.count(of: line.reader.id)
                    for number in 0..<each {
                        if number >= window {
                            try await ledger.wait(for: line.reader.id, toReach: before + number - window)
                        }
                        let (id, text) = line.sender.nextMessage(to: line.reader.id)
                        ledger.left(id, dueAt: .now, reader: line.reader.id)
                        try await line.sender.send(text)
                    }
                }
            }
            try await group.waitForAll()
        }
        try await ledger.settled(each * lines.count)
        let seconds = watch.seconds
        let times = ledger.take().sorted()
        result.add("messages", times.count)
        result.add("window", window)
        result.add("messages_per_second", Double(times.count) / seconds)
        result.add("loaded_p99_ms", times[times.count * 99 / 100] * 1_000, places: 1)
    }
}

/// Tells the node, every so often, what has been received.
final class Credit: Sendable {
    let reader = Mutex<LoadClient?>(nil)
    private let count = Mutex(0)

    func arrived(_ arrival: Int64) {
        let isDue = count.withLock { count in
            count += 1
            return count.isMultiple(of: 32)
        }
        guard isDue, let client = reader.withLock({ $0 }) else { return }
        Task.immediate { try? await client.received(upTo: arrival) }
    }
}

/// When each message left and how long it took.
final class RoutingLedger: Sendable {
    private struct State {
        var left: [String: (at: ContinuousClock.Instant, reader: UserID?)] = [:]
        var times: [Double] = []
        var counts: [UserID: Int] = [:]
        var waiting: [UserID: (count: Int, continuation: CheckedContinuation<Void, Never>)] = [:]
    }
    private let state = Mutex(State())

    func left(_ id: String, dueAt: ContinuousClock.Instant, reader: UserID? = nil) {
        state.withLock { $0.left[id] = (dueAt, reader) }
    }

    func arrived(_ id: String) {
        let now = ContinuousClock.now
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let left = state.left.removeValue(forKey: id) else { return nil }
            state.times.append(left.at.duration(to: now) / .seconds(1))
            guard let reader = left.reader else { return nil }
            state.counts[reader, default: 0] += 1
            guard let waiting = state.waiting[reader], state.counts[reader, default: 0] > waiting.count else {
                return nil
            }
            state.waiting[reader] = nil
            return waiting.continuation
        }
        waiting?.resume()
    }

    func count(of reader: UserID) -> Int { state.withLock { $0.counts[reader, default: 0] } }

    /// Waits until more than `count` messages for a reader have arrived. One waits for each reader.
    func wait(for reader: UserID, toReach count: Int) async throws {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.counts[reader, default: 0] > count { return true }
                state.waiting[reader] = (count, continuation)
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    /// Waits until so many have arrived, at most a minute beyond the last one.
    func settled(_ count: Int) async throws {
        var (last, idle) = (0, 0)
        while last < count, idle < 6_000 {
            try await Task.sleep(for: .milliseconds(10))
            let now = state.withLock { $0.times.count }
            idle = now == last ? idle + 1 : 0
            last = now
        }
    }

    /// Seconds of all that arrived, once.
    func take() -> [Double] {
        state.withLock { state in
            defer { state.times = [] }
            return state.times
        }
    }
}
