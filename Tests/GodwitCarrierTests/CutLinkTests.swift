import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitCarrier

/// Contacts of two nodes over a link that is cut at a place that a seed draws (issue 3: at most one frame is sent twice,
/// 95% and more of what crossed counts; GW-03, D-8).
@Suite("A link that is cut") struct CutLinkTests {
    enum Kind: String, CaseIterable, Sendable { case stream, datagrams, lossyDatagrams }

    /// How many objects go each way, and over what link.
    struct Load: Sendable, Hashable, CustomTestStringConvertible {
        var up = 0
        var down = 0
        var profile = NetworkType.meshnet
        /// Some twenty-five frames of 1,500 bytes.
        static let oneWay = Load(up: 128)
        static let bothWays = Load(up: 96, down: 32)
        /// 7.7 kB in six frames of 1,500 bytes.
        static let mesh = Load(up: 30)
        /// 9 kB in two frames of 6,000 bytes.
        static let satellite = Load(up: 36, profile: .satellite)
        /// 65 kB in two frames of 40,000 bytes.
        static let mobile = Load(up: 260, profile: .mobile)
        /// The same, and as much from the other side.
        static let answered = Load(up: 36, down: 36, profile: .satellite)
        var testDescription: String { "\(profile) \(up) up, \(down) down" }
    }
    /// What one cut cost. A frame of which bytes crossed in two exchanges went in two parts, or twice.
    struct Cost: Sendable {
        var twice: (up: Int, down: Int)
        /// Of what crossed, what did not cross again.
        var share: Double
        var goneOn: Int
    }

    /// What twenty-five cuts cost, each at another place.
    private static func costs(_ kind: Kind, _ load: Load, part: Int) async throws -> [Cost] {
        let whole = try await cross(kind, load, cutAfter: .max, seed: 1)
        #expect(whole.link.sentTwice(isUp: true) + whole.link.sentTwice(isUp: false) == 0 && whole.contacts == 1)
        var random = SeededGenerator(seed: UInt64(part) &+ 900)
        var costs: [Cost] = []
        for seed in 0..<25 as Range<UInt64> {
            let cut = Int.random(in: 1..<whole.link.carried, using: &random)
            let run = try await cross(kind, load, cutAfter: cut, seed: seed)
            #expect(run.contacts == 2, "\(kind), cut after \(cut)")
            costs.append(
                Cost(
                    twice: (run.link.sentTwice(isUp: true), run.link.sentTwice(isUp: false)),
                    share: Double(run.link.counting) / Double(run.link.crossed), goneOn: run.link.goneOn))
        }
        return costs
    }

    @Test(
        "wherever it is cut, nothing is lost or doubled, one frame at most goes in two parts, and 99% counts",
        arguments: [(Kind.stream, Load.bothWays), (.datagrams, .oneWay)], 0..<4)
    func anywhere(_ way: (kind: Kind, load: Load), part: Int) async throws {
        for cost in try await Self.costs(way.kind, way.load, part: part) {
            #expect(cost.twice.up + cost.twice.down <= 1 && cost.share >= 0.99, "\(way.kind): \(cost)")
        }
    }

    @Test(
        "where two frames or six hold everything, the rest of the one under way is enough: 99% counts",
        arguments: [Kind.stream, .datagrams], [Load.mesh, .satellite, .mobile, .answered])
    func thin(_ kind: Kind, load: Load) async throws {
        let costs = try await Self.costs(kind, load, part: 7)
        for cost in costs {
            #expect(cost.twice.up <= 1 && cost.twice.down <= 1 && cost.share >= 0.99, "\(kind): \(cost)")
        }
        #expect(costs.contains { $0.goneOn > 0 })
    }

    @Test("where both ends send at once it is one frame each way, and 99% counts")
    func duplex() async throws {
        for cost in try await Self.costs(.datagrams, .bothWays, part: 0) {
            #expect(cost.twice.up <= 1 && cost.twice.down <= 1 && cost.share >= 0.99, "\(cost)")
        }
    }

    @Test("one datagram of twenty is lost besides: what came behind a gap goes again too")
    func lossy() async throws {
        let costs = try await Self.costs(.lossyDatagrams, .bothWays, part: 0)
        for cost in costs {
            #expect(cost.twice.up <= 3 && cost.twice.down <= 3 && cost.share >= 0.92, "\(cost)")
        }
        #expect(costs.map(\.share).reduce(0, +) / Double(costs.count) >= 0.98)
    }

    /// Two contacts' ends, the link between them, and how many contacts it took.
    private static func cross(
        _ kind: Kind, _ load: Load, cutAfter cut: Int, seed: UInt64
    ) async throws -> (link: CutLink, contacts: Int) {
        let (left, right) = (try CutEnd("leftend1", keyByte: 11), try CutEnd("rightnd2", keyByte: 22))
        left.peers.add(right.key)
        right.peers.add(left.key)
        for number in 0..<load.up { try await left.enqueue(number, to: right) }
        for number in 0..<load.down { try await right.enqueue(1_000 + number, to: left) }
        let profile = Profile.preset(load.profile)
        let frame = FrameSizing.payload(up: profile)
        let limits = OutletLimits(frame: frame, exchange: ByteCount(frame.bytes * 4))
        let link = CutLink(cutAfter: cut)
        let outlet = right.outlet
        let service = ContactAnswerer(intake: right.intake) { _ in (outlet, limits) }
        let carrier: any Carrier =
            kind == .stream
            ? CutStreamCarrier(link: link, service: service)
            : CutDatagramCarrier(
                link: link, service: service, profile: profile, loss: kind == .datagrams ? 0 : profile.packetLoss,
                seed: seed)
        var contacts = 0
        while contacts < 5 {
            contacts += 1
            do {
                _ = try await ContactCaller(intake: left.intake, outlet: left.outlet).contact(
                    with: right.key, over: carrier, limits: limits, exchangesMax: 100)
                break
            } catch let error as ProtocolError where error.code == .nodeUnreachable {}
        }
        let sent = (Array(0..<load.up), (0..<load.down).map { 1_000 + $0 })
        #expect(try right.keeper.numbers == sent.0 && left.keeper.numbers == sent.1, "\(kind), cut after \(cut)")
        return (link, contacts)
    }
}

/// One node's end: a spool, and what sends and takes frames.
private struct CutEnd {
    final class Keeper: ItemReceiver {
        private let bodies = Mutex<[[UInt8]]>([])
        /// Numbers of the items that came, in their order.
        var numbers: [Int] {
            get throws { try bodies.withLock { try $0.map { Int(try JSONObject.parse($0)["n"]?.integer ?? -1) } } }
        }
        func commit(_ items: [BatchItem], from peer: Party, in transaction: MemorySpool.Transaction) throws {
            bodies.withLock { $0 += items.map(\.body) }
        }
        func committed(from peer: Party) async {}
    }

    final class Peers: PeerDirectory {
        private let own: AgreementPublicKey
        private let known = Mutex<[PeerKey]>([])
        init(own: AgreementPublicKey) { self.own = own }
        func add(_ peer: PeerKey) { known.withLock { $0.append(peer) } }
        func candidates(for hint: FrameHint) async throws -> [PeerKey] {
            known.withLock { $0 }.filter { FrameHint(sender: $0.noiseKey, receiver: own) == hint }
        }
    }

    let spool = MemorySpool(configuration: SpoolConfiguration(disk: { _ in nil }))
    let keeper = Keeper()
    let peers: Peers
    let key: PeerKey
    let outlet: FrameOutlet<MemorySpool>
    let intake: FrameIntake<MemorySpool, Keeper>

    init(_ name: String, keyByte: UInt8) throws {
        let identity = ContactIdentity(
            party: .node(try NodeID(name)),
            noiseKey: try AgreementKey(Secret([UInt8](repeating: keyByte, count: 32))))
        key = PeerKey(party: identity.party, noiseKey: identity.noiseKey.publicKey)
        peers = Peers(own: identity.noiseKey.publicKey)
        outlet = FrameOutlet(spool: spool, identity: identity, weights: Profile.mesh.weights)
        intake = FrameIntake(spool: spool, receiver: keeper, identity: identity, directory: peers)
    }

    /// 330 bytes that no compressor shortens much.
    func enqueue(_ number: Int, to other: CutEnd) async throws {
        var random = SeededGenerator(seed: UInt64(number) &+ 77)
        var noise = ""
        while noise.utf8.count < 300 { noise += String(random.next(), radix: 36) }
        let body = (["n": .integer(Int64(number)), "noise": .string(noise)] as JSONObject).canonicalBytes()
        let item = NewItem(
            id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: other.key.party,
            priority: .channelText, created: Timestamp(milliseconds: 1_750_000_000_000 + Int64(number) * 1_000),
            lifetime: Message.defaultLifetime)
        _ = try await spool.write { try $0.enqueue(item) }
    }
}
