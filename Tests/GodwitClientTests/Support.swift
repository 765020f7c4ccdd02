import GRDB
import Glibc
import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitClient

/// Numbers that a seed determines (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Clocks that stand until a test moves them.
final class ManualTime: TimeSource {
    private let state = Mutex((wall: Timestamp(milliseconds: 1_773_466_632_000), up: Int64(1_000_000)))

    func now() -> Timestamp { state.withLock { $0.wall } }
    func uptime() -> Duration { .milliseconds(state.withLock { $0.up }) }

    func advance(_ milliseconds: Int64) {
        state.withLock { state in
            state.wall = state.wall.adding(milliseconds: milliseconds)
            state.up += milliseconds
        }
    }

    /// Sets the clock on the wall, forward or back. Nothing else has moved.
    func jump(_ milliseconds: Int64) { state.withLock { $0.wall = $0.wall.adding(milliseconds: milliseconds) } }
}

/// A directory that goes with its owner.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/godwit-client-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for folder in ["/blobs", ""] {
            guard let stream = opendir(path + folder) else { continue }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                unlink(path + folder + "/" + name)
            }
            closedir(stream)
            rmdir(path + folder)
        }
    }

    /// All bytes of the database, the write-ahead log included.
    func databaseBytes() -> [UInt8] {
        ["/spool.sqlite", "/spool.sqlite-wal"].flatMap { Self.read(path + $0) }
    }

    /// Writes the write-ahead log back into the file and empties it.
    func writeBackLog() throws {
        let queue = try DatabaseQueue(path: path + "/spool.sqlite")
        try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try queue.close()
    }

    private static func read(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer.prefix(count)
        }
    }
}

extension [UInt8] {
    func contains(_ part: [UInt8]) -> Bool {
        guard let first = part.first, count >= part.count else { return false }
        return (0...(count - part.count)).contains { start in
            self[start] == first && self[start..<start + part.count].elementsEqual(part)
        }
    }
}

extension ItemKind {
    var batchKind: BatchItem.Kind {
        switch self {
        case .message: .message
        case .object: .object
        case .receipt: .receipt
        }
    }
}

extension Device {
    /// What a frame of the home node would do.
    func deliver(_ items: [BatchItem]) async throws {
        let store = store
        try await store.spool.write {
            try DeviceReceiver(store: store).commit(items, from: store.context.homeParty, in: $0)
        }
    }

    /// Takes everything that waits for the home node, as an acknowledged contact does.
    func handOver() async throws -> [BatchItem] {
        let home = store.context.homeParty
        let items = try await store.spool.write { transaction in
            var items: [SpoolItem] = []
            for priority in PriorityClass.allCases {
                items += try transaction.waiting(
                    for: home, class: priority, count: 100_000, bytes: ByteCount(1 << 30))
            }
            try transaction.release(items.map(\.row))
            return items
        }
        try await settle()
        return items.map {
            BatchItem(
                kind: $0.kind.batchKind, body: $0.body, created: $0.created, lifetime: $0.lifetime,
                priority: $0.priority)
        }
    }

    func texts(from author: UserID? = nil) async throws -> [String] {
        try await inbox(limit: 100_000).filter { author == nil || $0.author == author }.map(\.text)
    }

    /// Codes of all warnings, each as often as it was given.
    func codes() async throws -> [ClientWarning.Code] {
        try await warnings(limit: 1_000).flatMap { [ClientWarning.Code](repeating: $0.code, count: Int($0.times)) }
    }
}
