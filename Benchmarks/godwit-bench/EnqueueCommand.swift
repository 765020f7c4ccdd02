import ArgumentParser
import CSpoolBaseline
import GodwitProtocol
import GodwitSpool

/// Durable enqueue by many writers at once, and plain SQLite on the same tables in groups of the same mean size.
struct EnqueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool-enqueue", abstract: "Measure durable enqueue against plain SQLite in C.")

    @Option(help: "Tasks that write at the same time.")
    var writers = 64
    @Option(help: "Messages of one run.")
    var messages = 100_000
    @Option(help: "Runs of each side, in turns.")
    var runs = 5
    @Option(help: "Directory on the disk that is measured.")
    var directory = "/tmp"
    @OptionGroup var report: ReportOptions

    func run() async throws {
        guard baseline_count_syncs() == 0 else { throw ProtocolError.malformed("SQLite has no file system.") }
        let items = (0..<messages).map(SampleItems.item)
        var (ours, theirs): ([Side], [Side]) = ([], [])
        for _ in 0..<runs {
            let own = try await spool(items)
            ours.append(own)
            theirs.append(try await baseline(items, group: max(1, Int((own.group).rounded()))))
        }
        var result = Report(name: "spool-enqueue")
        result.add("writers", writers)
        result.add("messages_per_run", messages)
        result.add("body_mean", Double(items.reduce(0) { $0 + $1.body.count }) / Double(messages))
        result.add("messages_per_second", median(ours.map(\.rate)))
        result.add("slowest_run", ours.map(\.rate).min() ?? 0)
        result.add("mean_group", median(ours.map(\.group)), places: 1)
        result.add("syncs_per_run", median(ours.map(\.syncs)))
        result.add("sync_seconds", median(ours.map(\.waited)), places: 2)
        result.add("raw_messages_per_second", median(theirs.map(\.rate)))
        result.add("raw_mean_group", median(theirs.map(\.group)), places: 1)
        result.add("raw_syncs_per_run", median(theirs.map(\.syncs)))
        result.add("raw_sync_seconds", median(theirs.map(\.waited)), places: 2)
        result.add("ratio", median(zip(ours, theirs).map { $0.rate / $1.rate }), places: 2)
        result.add(
            "ratios", zip(ours, theirs).map { "\(($0.rate / $1.rate * 100).rounded() / 100)" }.joined(separator: " "))
        try result.publish(report)
    }

    struct Side {
        var rate: Double
        var group: Double
        var syncs: Double
        /// Seconds of the run spent in them.
        var waited: Double
    }

    private func spool(_ items: [NewItem]) async throws -> Side {
        let scratch = try Scratch(in: directory)
        defer { scratch.remove() }
        let spool = try SQLiteSpool(directory: scratch.path, configuration: SampleItems.configuration)
        let (before, syncs, idle) = (spool.transactions, baseline_syncs(), baseline_sync_seconds())
        let watch = Watch()
        try await spool.enqueue(items, writers: writers)
        let seconds = watch.seconds
        let groups = spool.transactions - before
        let counted = baseline_syncs() - syncs
        let waited = baseline_sync_seconds() - idle
        try await spool.close()
        return Side(
            rate: Double(items.count) / seconds, group: Double(items.count) / Double(groups), syncs: Double(counted),
            waited: waited)
    }

    private func baseline(_ items: [NewItem], group: Int) async throws -> Side {
        let scratch = try Scratch(in: directory)
        defer { scratch.remove() }
        let spool = try SQLiteSpool(directory: scratch.path, configuration: SampleItems.configuration)
        // Gives every party its row: destinations first, then owners, counted from 1.
        try await spool.write { spool in
            for party in SampleItems.destinations + SampleItems.owners { _ = try spool.nextFrame(to: party) }
        }
        try await spool.close()
        let result = Self.write(items, to: scratch.path + "/spool.sqlite", group: group)
        let error = withUnsafeBytes(of: result.error) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard error.isEmpty else { throw ProtocolError(.internalError, "The plain run failed: \(error)") }
        return Side(
            rate: Double(items.count) / result.seconds, group: Double(items.count) / Double(result.groups),
            syncs: Double(result.syncs), waited: result.sync_seconds)
    }

    private static func write(_ items: [NewItem], to path: String, group: Int) -> baseline_result {
        var bytes: [UInt8] = []
        for item in items { bytes += item.id.bytes + SampleItems.digest(item.body) + item.body }
        var result = baseline_result()
        bytes.withUnsafeBufferPointer { buffer in
            guard var next = buffer.baseAddress else { return }
            let messages = items.enumerated().map { number, item in
                defer { next += 64 + item.body.count }
                return baseline_message(
                    id: next, digest: next + 32, body: next + 64, size: item.body.count,
                    destination: Int64(number % SampleItems.destinations.count + 1),
                    owner: Int64(SampleItems.destinations.count + number % SampleItems.owners.count + 1))
            }
            baseline_write(path, messages, messages.count, group, &result)
        }
        return result
    }
}

extension SQLiteSpool {
    /// Each of the writers takes every n-th item and waits for the commit before the next.
    func enqueue(_ items: [NewItem], writers: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for index in stride(from: writer, to: items.count, by: writers) {
                        let item = items[index]
                        guard case .accepted = try await self.write({ try $0.enqueue(item) }) else {
                            throw ProtocolError(.internalError, "A sample item came twice.")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
