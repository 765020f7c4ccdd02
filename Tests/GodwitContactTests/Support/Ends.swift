import Glibc
import GodwitBatch
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization

@testable import GodwitContact

/// What an end of a hop has received, in order. Lives in a row of its own, so that it is undone with its transaction.
final class Received: Sendable {
    private let bodies = Mutex<[[UInt8]]>([])
    var all: [[UInt8]] { bodies.withLock { $0 } }
    func append(_ items: [[UInt8]]) { bodies.withLock { $0 += items } }
}

/// Keeps what frames bring; refuses on demand, as a full store does.
final class Keeper<Transaction: SpoolTransaction>: ItemReceiver {
    let received = Received()
    let isFull = Mutex(false)
    let announced = Mutex(0)
    private let found = Mutex(0)
    /// How often a peer had more than the store had sent.
    var copies: Int { found.withLock { $0 } }

    func commit(_ items: [BatchItem], from peer: Party, in transaction: Transaction) throws {
        if isFull.withLock({ $0 }) { throw ProtocolError(.bandwidthExceeded, "The spool is full.") }
        received.append(items.map(\.body))
    }

    func committed(from peer: Party) async { announced.withLock { $0 += 1 } }

    func foundCopy(by peer: Party, in transaction: Transaction) throws { found.withLock { $0 += 1 } }
}

/// The peers that an end knows; can be changed.
final class Acquaintances: PeerDirectory {
    private let own: AgreementPublicKey
    private let known = Mutex<[PeerKey]>([])
    init(own: AgreementPublicKey) { self.own = own }

    func add(_ peer: PeerKey) { known.withLock { $0.append(peer) } }

    func candidates(for hint: FrameHint) async throws -> [PeerKey] {
        known.withLock { $0 }.filter { FrameHint(sender: $0.noiseKey, receiver: own) == hint }
    }
}

/// One end of a hop: a spool, and everything that sends and takes frames.
struct End<Store: Spool>: Sendable {
    let identity: ContactIdentity
    let spool: Store
    let keeper = Keeper<Store.Transaction>()
    let directory: Acquaintances
    let outlet: FrameOutlet<Store>
    let intake: FrameIntake<Store, Keeper<Store.Transaction>>

    var key: PeerKey { PeerKey(party: identity.party, noiseKey: identity.noiseKey.publicKey) }

    init(_ name: String, keyByte: UInt8, _ spool: Store) throws {
        self.spool = spool
        identity = ContactIdentity(
            party: .node(try NodeID(name)),
            noiseKey: try AgreementKey(Secret([UInt8](repeating: keyByte, count: 32))))
        directory = Acquaintances(own: identity.noiseKey.publicKey)
        outlet = FrameOutlet(spool: spool, identity: identity, weights: Profile.satellite.weights)
        intake = FrameIntake(spool: spool, receiver: keeper, identity: identity, directory: directory)
    }

    func answerer(_ limits: OutletLimits) -> ContactAnswerer<Store, Keeper<Store.Transaction>> {
        let outlet = outlet
        return ContactAnswerer(intake: intake) { _ in (outlet, limits) }
    }

    var caller: ContactCaller<Store, Keeper<Store.Transaction>> { ContactCaller(intake: intake, outlet: outlet) }

    @discardableResult
    func enqueue(
        _ number: Int, to peer: Party, _ priority: PriorityClass = .channelText, size: Int = 120
    ) async throws -> [UInt8] {
        let body = Sample.body(number, size: size)
        let item = NewItem(
            id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: peer, priority: priority,
            created: Timestamp(milliseconds: 1_750_000_000_000 + Int64(number) * 1000),
            lifetime: Message.defaultLifetime)
        _ = try await spool.write { try $0.enqueue(item) }
        return body
    }

    func waiting(for peer: Party) async throws -> Int {
        try await spool.read { try $0.queues(for: peer).values.reduce(0) { $0 + $1.count } }
    }

    func inFlight(to peer: Party) async throws -> [OutboundFrame] {
        try await spool.read { try $0.unacknowledged(to: peer) }
    }
}

enum Sample {
    /// JSON of `size` bytes (at least 60) that no compressor shortens much.
    static func body(_ number: Int, size: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(number) &+ 77)
        var noise = ""
        while noise.utf8.count < size { noise += String(generator.next(), radix: 36) }
        var object: JSONObject = ["n": .integer(Int64(number)), "noise": ""]
        let left = max(0, size - object.canonicalBytes().count)
        object["noise"] = .string(String(noise.prefix(left)))
        return object.canonicalBytes()
    }

    static func number(_ body: [UInt8]) throws -> Int {
        let object = try JSONObject.parse(body, limits: JSONLimits(bytes: 131_072))
        return Int(object["n"]?.integer ?? -1)
    }
}

/// The kinds of spool that every test of a hop runs on.
enum Stores: String, CaseIterable, Sendable {
    case memory, sqlite

    /// Gives `body` two ends that know each other.
    func with(_ body: (any Ends) async throws -> Void) async throws {
        switch self {
        case .memory:
            try await body(try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test)))
        case .sqlite:
            let (one, other) = (try TemporaryDirectory(), try TemporaryDirectory())
            defer {
                one.remove()
                other.remove()
            }
            let spools = (
                try SQLiteSpool(directory: one.path, configuration: .test),
                try SQLiteSpool(directory: other.path, configuration: .test)
            )
            try await body(try Pair(spools.0, spools.1))
        }
    }
}

/// Two ends, whatever their stores are.
protocol Ends: Sendable {
    associatedtype Store: Spool
    var left: End<Store> { get }
    var right: End<Store> { get }
}

struct Pair<Store: Spool>: Ends {
    let left: End<Store>
    let right: End<Store>

    init(_ one: Store, _ other: Store) throws {
        left = try End("leftend1", keyByte: 11, one)
        right = try End("rightnd2", keyByte: 22, other)
        left.directory.add(right.key)
        right.directory.add(left.key)
    }
}

extension SpoolConfiguration {
    /// The defaults, but the disk of the machine that runs the test sets no limit.
    static var test: SpoolConfiguration { SpoolConfiguration(disk: { _ in nil }) }
}

/// Small numbers that a seed repeats.
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

/// A directory of a test's own.
struct TemporaryDirectory: Sendable {
    let path: String
    struct Failure: Error {}

    init() throws {
        var template = Array("/tmp/godwit-contact-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure() }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        for name in ["spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm", "lock"] { unlink(path + "/" + name) }
        rmdir(path + "/blobs")
        rmdir(path)
    }
}
