import Glibc
import GodwitProtocol
import Synchronization

@testable import GodwitSpool

/// Small numbers that a seed repeats (SplitMix64, Steele, Lea and Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

enum Fixture {
    static func party(_ name: String) throws -> Party { .node(try NodeID(name)) }
    static var alpha: Party { get throws { try party("alphaaa1") } }
    static var bravo: Party { get throws { try party("bravobb2") } }
    static var owner: Party { get throws { try Party("alphaaa1.alice/abcdefgh") } }

    static func id(_ number: Int) -> ItemID {
        ItemID(BlobStore.digest(of: Array("item \(number)".utf8)))
    }

    /// `size` bytes that differ with `number`.
    static func body(_ number: Int, size: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(truncatingIfNeeded: number))
        return (0..<size).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    static func item(
        _ number: Int, to destination: Party, _ priority: PriorityClass = .channelText, size: Int = 100,
        lifetime: Int64 = 30 * 86_400_000, age: Int64 = 0, owner: Party? = nil
    ) -> NewItem {
        NewItem(
            id: id(number), kind: .message, body: body(number, size: size), destination: destination,
            priority: priority, created: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)),
            lifetime: lifetime, age: age, owner: owner)
    }
}

extension EnqueueOutcome {
    /// Row of an accepted item.
    var row: Int64? {
        guard case .accepted(let row, _) = self else { return nil }
        return row
    }
}

extension SpoolTransaction {
    /// Records a frame of these rows under the next number.
    func frame(_ rows: [Int64], to peer: Party, bytes: [UInt8] = [1, 2, 3]) throws -> OutboundFrame {
        let frame = OutboundFrame(peer: peer, number: try nextFrame(to: peer), bytes: bytes, items: rows)
        try record(frame)
        return frame
    }
}

/// A directory of a test's own.
struct TemporaryDirectory: Sendable {
    let path: String

    init(path: String) { self.path = path }

    init() throws {
        var template = Array("/tmp/godwit-spool-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemFailure(step: "mkdtemp", number: errno) }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        for name in (try? SystemFile.names(in: path + "/blobs")) ?? [] { unlink(path + "/blobs/" + name) }
        rmdir(path + "/blobs")
        for name in (try? SystemFile.names(in: path)) ?? [] { unlink(path + "/" + name) }
        rmdir(path)
    }

    var blobNames: [String] {
        get throws { try SystemFile.names(in: path + "/blobs").sorted() }
    }

    func read(_ name: String) throws -> [UInt8] {
        var status = stat()
        guard stat(path + "/" + name, &status) == 0 else { throw SystemFailure(step: "stat", number: errno) }
        return try SystemFile.read(path + "/" + name, limit: Int(status.st_size))
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let descriptor = try SystemFile.open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC)
        defer { close(descriptor) }
        try SystemFile.write(bytes, to: descriptor)
    }

    /// What a power cut at this moment would leave, if the log had been written up to `walLimit`.
    func copy(walLimit: Int = .max) throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        try copy.write(try read("spool.sqlite"), to: "spool.sqlite")
        try copy.write(Array(try read("spool.sqlite-wal").prefix(walLimit)), to: "spool.sqlite-wal")
        try SystemFile.makeDirectory(copy.path + "/blobs")
        for name in try blobNames { try copy.write(try read("blobs/" + name), to: "blobs/" + name) }
        return copy
    }
}

/// A value that tasks share.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value {
        get { mutex.withLock { $0 } }
        set { mutex.withLock { $0 = newValue } }
    }
}
