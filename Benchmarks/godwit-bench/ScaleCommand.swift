import ArgumentParser
import Glibc
import GodwitProtocol
import GodwitSpool

/// What opening, enqueue and dequeue cost when much is spooled already.
struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool-scale",
        abstract: "Measure a spool of 10 thousand, a million and (--large) ten million items.")

    @Flag(help: "Ten million items too: 8 GB of disk and half an hour.")
    var large = false
    @Option(help: "Days of uptime over which the items arrive.")
    var days = 28
    @Option(help: "Rounds that are measured; the median counts.")
    var rounds = 9
    @Option(help: "Directory on the disk that is measured.")
    var directory = "/tmp"
    @OptionGroup var report: ReportOptions

    /// Items that one round puts in and takes out.
    static let perRound = 5_000

    func run() async throws {
        var result = Report(name: "spool-scale")
        result.add("days_of_arrival", days)
        var spools: [Subject] = []
        defer { for spool in spools { spool.scratch.remove() } }
        for count in [10_000, 1_000_000] + (large ? [10_000_000] : []) {
            spools.append(try await prepare(count, &result))
        }
        var costs = spools.map { _ in [Costs]() }
        // In turns, so that what else happens on the machine happens to all; the first round warms up.
        for round in 0...rounds {
            for (index, spool) in spools.enumerated() {
                let cost = try await Self.round(round, of: spool)
                if round > 0 { costs[index].append(cost) }
            }
        }
        for (index, spool) in spools.enumerated() {
            let own = costs[index]
            result.add("enqueue_us_\(spool.name)", median(own.map(\.enqueue)), places: 1)
            result.add("dequeue_us_\(spool.name)", median(own.map(\.dequeue)), places: 1)
            if index > 0 {
                let first = costs[0]
                result.add(
                    "enqueue_ratio_\(spool.name)", median(zip(own, first).map { $0.enqueue / $1.enqueue }), places: 2)
                result.add(
                    "dequeue_ratio_\(spool.name)", median(zip(own, first).map { $0.dequeue / $1.dequeue }), places: 2)
            }
            try await spool.spool.close()
        }
        try result.publish(report)
    }

    private struct Subject {
        let name: String
        let count: Int
        let scratch: Scratch
        let spool: SQLiteSpool
    }

    private struct Costs {
        /// Microseconds an item, 64 writers, its share of the commit included.
        var enqueue: Double
        /// The same, in frames of 64 items: read, framed in one commit, acknowledged in another.
        var dequeue: Double
    }

    /// Fills a spool and sees how long it takes to open.
    private func prepare(_ count: Int, _ result: inout Report) async throws -> Subject {
        let name = count >= 1_000_000 ? "\(count / 1_000_000)m" : "\(count / 1_000)k"
        let scratch = try Scratch(in: directory)
        let path = scratch.path
        try await Filling.fill(path, count: count, days: days)
        Self.dropFromCache(path + "/spool.sqlite")
        result.add("open_cold_seconds_\(name)", try await open(path), places: 3)
        result.add(
            "open_seconds_\(name)", median([try await open(path), try await open(path), try await open(path)]),
            places: 3)
        result.add("bytes_per_item_\(name)", Double(Self.size(path + "/spool.sqlite")) / Double(count))
        return Subject(
            name: name, count: count, scratch: scratch,
            spool: try SQLiteSpool(directory: path, configuration: SampleItems.configuration))
    }

    private static func round(_ round: Int, of subject: Subject) async throws -> Costs {
        let start = subject.count + round * perRound
        let items = (start..<start + perRound).map(SampleItems.item)
        let enqueue = Watch()
        try await subject.spool.enqueue(items, writers: 64)
        let enqueueTime = enqueue.seconds
        let dequeue = Watch()
        try await Self.dequeue(perRound, from: subject.spool)
        return Costs(
            enqueue: enqueueTime / Double(perRound) * 1e6, dequeue: dequeue.seconds / Double(perRound) * 1e6)
    }

    private func open(_ path: String) async throws -> Double {
        let watch = Watch()
        let spool = try SQLiteSpool(directory: path, configuration: SampleItems.configuration)
        let seconds = watch.seconds
        try await spool.close()
        return seconds
    }

    private static func dequeue(_ count: Int, from spool: SQLiteSpool) async throws {
        var done = 0
        var turn = 0
        while done < count {
            let peer = SampleItems.destinations[turn % SampleItems.destinations.count]
            turn += 1
            let most = min(64, count - done)
            let number = try await spool.write { spool -> (FrameNumber, Int) in
                let items = try spool.waiting(
                    for: peer, class: .channelText, count: most, bytes: ByteCount(1 << 20))
                let number = try spool.nextFrame(to: peer)
                try spool.record(
                    OutboundFrame(
                        peer: peer, number: number, bytes: [UInt8](repeating: 7, count: 4_096), items: items.map(\.row))
                )
                return (number, items.count)
            }
            let released = try await spool.write { spool in
                try spool.acknowledge(
                    from: peer, incarnation: number.0.incarnation, numbers: [number.0.number...number.0.number]
                ).count
            }
            guard released == number.1, released > 0 else {
                throw ProtocolError(.internalError, "A frame did not hold what it should.")
            }
            done += released
        }
    }

    /// Asks the system to read the file from the disk again.
    private static func dropFromCache(_ path: String) {
        let descriptor = Glibc.open(path, O_RDONLY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        close(descriptor)
    }

    private static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}

/// A spool with many items in it, for what else is to be measured with it.
struct FillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool-fill", abstract: "Put many items into the spool in a directory.")

    @Argument(help: "Directory of the spool.")
    var directory: String
    @Option(help: "Items.")
    var items = 1_000_000
    @Option(help: "Days of uptime over which they arrive.")
    var days = 28

    func run() async throws { try await Filling.fill(directory, count: items, days: days) }
}

enum Filling {
    private static let chunk = 1_000

    /// Enqueues as the node does, a thousand items a transaction, while uptime goes by evenly.
    static func fill(_ path: String, count: Int, days: Int) async throws {
        let spool = try SQLiteSpool(directory: path, configuration: SampleItems.configuration)
        let elapsed = Int64(days) * 86_400_000 * Int64(chunk) / Int64(max(count, chunk))
        for start in stride(from: 0, to: count, by: chunk) {
            try await spool.write { spool in
                _ = try spool.expire(elapsed: elapsed)
                for number in start..<min(start + chunk, count) {
                    guard case .accepted = try spool.enqueue(SampleItems.item(number)) else {
                        throw ProtocolError(.internalError, "A sample item came twice.")
                    }
                }
            }
        }
        try await spool.close()
    }
}
