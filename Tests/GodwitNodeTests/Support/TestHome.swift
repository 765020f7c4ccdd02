import FoundationEssentials
import GRDB
import Glibc
import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Logging
import Synchronization

@testable import GodwitNode

/// Clocks that a test moves.
final class ManualTime: TimeSource {
    private let state: Mutex<(now: Int64, uptime: Int64)>
    init(now: Timestamp = TestTime.start) { state = Mutex((now.milliseconds, 1_000)) }

    func now() -> Timestamp { Timestamp(milliseconds: state.withLock { $0.now }) }
    func uptime() -> Duration { .milliseconds(state.withLock { $0.uptime }) }

    /// Time passes.
    func advance(milliseconds: Int64) {
        state.withLock {
            $0.now += milliseconds
            $0.uptime += milliseconds
        }
    }

    /// Somebody sets the clock on the wall.
    func setWall(back milliseconds: Int64) { state.withLock { $0.now -= milliseconds } }
}

enum TestTime {
    static let start = Timestamp(milliseconds: 1_757_154_600_123)
}

/// Waits for something that another task does. Fails the test by throwing after half a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<6000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw NeverHappened(what: what)
}

struct NeverHappened: Error { var what: String }

/// A node in a directory of its own, with a clock that the test moves.
struct TestNode: Sendable {
    let node: HomeNode
    let time: ManualTime
    let directory: String
    var id: NodeID { node.core.context.id }

    init(
        name: String = "node", registration: RegistrationPolicy = .open, time: ManualTime = ManualTime(),
        spool: SpoolConfiguration = SpoolConfiguration(disk: { _ in nil }), profiles: [String: Profile] = [:],
        limits: ProtectionLimits = ProtectionLimits(), carrier: HomeNode.CarrierFactory? = nil,
        retention: Retention = .usual
    ) async throws {
        var template = Array("/tmp/godwit-node-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw NeverHappened(what: "a temporary directory") }
        directory = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.time = time
        let home = try NodeHome.create(
            in: directory + "/home", name: name, endpoints: ["https://\(name).example"], at: time.now())
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        node = try await HomeNode(
            home: home, spoolDirectory: directory + "/spool",
            configuration: NodeConfiguration(
                registration: registration, profiles: profiles, spool: spool, retention: retention, limits: limits),
            time: time,
            logger: logger, carrier: carrier)
    }

    /// Runs `body` with a node, and removes its files.
    static func with(
        registration: RegistrationPolicy = .open, limits: ProtectionLimits = ProtectionLimits(),
        _ body: (TestNode) async throws -> Void
    ) async throws {
        let node = try await TestNode(registration: registration, limits: limits)
        do { try await body(node) } catch {
            node.remove()
            throw error
        }
        let verification = try await node.node.core.spool.verify()
        node.remove()
        guard verification.isSound else { throw NeverHappened(what: "a sound spool: \(verification)") }
    }

    /// Removes the files. The store is left to its last owner: closing it blocks a thread of the few that tests share.
    func remove() {
        for folder in ["/home/keys", "/home/tls", "/home", "/spool/blobs", "/spool"] {
            let path = directory + folder
            guard let open = opendir(path) else { continue }
            while let entry = readdir(open) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { unlink(path + "/" + name) }
            }
            closedir(open)
            rmdir(path)
        }
        rmdir(directory)
    }

    // MARK: What the node has

    /// Whether a file of the store has these bytes in it.
    func stores(_ bytes: [UInt8]) -> Bool {
        ["spool.sqlite", "spool.sqlite-wal"].contains { file in
            let data = FileManager.default.contents(atPath: directory + "/spool/" + file) ?? Data()
            return [UInt8](data).firstRange(of: bytes) != nil
        }
    }

    func count(_ table: String) async throws -> Int {
        try await node.core.read { Int(try $0.row("SELECT count(*) AS n FROM \(table)")?["n"] as Int64? ?? 0) }
    }

    /// Bodies in custody for a party, in order of arrival.
    func queue(for party: Party) async throws -> [JSONObject] {
        try await node.core.spool.read { transaction in
            try transaction.items(for: party, limit: 10_000).map {
                try JSONObject.parse($0.body, limits: JSONLimits(bytes: 131_072))
            }
        }
    }

    // MARK: Links

    func control(_ request: JSONObject) async throws -> JSONValue {
        let answer = await node.control(request)
        if let error = ProtocolError(object: answer) { throw error }
        return answer["result"] ?? .null
    }

    func add(
        _ other: TestNode, trust: TrustLevel = .trusted, calls: Bool = false, profile: String = "satellite"
    ) async throws {
        _ = try await control([
            "request": "add_peer", "descriptor": .object(other.node.home.descriptor.object),
            "trust": .string(trust.rawValue), "calls": .bool(calls), "profile": .string(profile),
        ])
    }

    /// One contact with a peer, inside the process.
    @discardableResult
    func contact(_ other: TestNode) async throws -> ContactReport {
        let key = PeerKey(party: .node(other.id), noiseKey: other.node.home.noiseKey.publicKey)
        let (outlet, limits) = await node.links.outlet(for: key.party)
        return try await NodeCaller(intake: await node.links.intake, outlet: outlet).contact(
            with: key, over: InProcess(service: other.node.exchange), limits: limits, exchangesMax: 64)
    }

    /// Contacts between two nodes until nothing is left.
    func settle(with other: TestNode) async throws {
        for _ in 0..<4 { try await contact(other) }
    }
}

/// Calls the answering node directly.
struct InProcess: Carrier {
    let service: any ExchangeService

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let session = await service.openExchange()
        var sent = 0
        while let record = try await request.next() {
            sent += record.count
            try await session.receive(record)
        }
        var received = 0
        while let record = try await session.next() {
            received += record.count
            try await receive(record)
        }
        return ExchangeStatistics(
            sent: ByteCount(sent), received: ByteCount(received), duration: 1, reusedConnection: true)
    }
}
