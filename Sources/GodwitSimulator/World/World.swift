import GodwitClient
import GodwitContact
import GodwitNode
import GodwitProtocol

/// A whole network of real nodes and real devices in virtual time, inside one process: real stores, real keys, real
/// frames. What happens, when, and what breaks is drawn from one seed.
///
/// Each event runs to its end before the next begins, so a seed replays a run. Keys come from the system: nothing is
/// decided by them but the order of ids.
public final class World {
    enum Event {
        case write
        case deviceContact(Int)
        case nodeContact(Int, Int)
        case housekeeping(Int)
        case change
        case darkness
        case restart
        case clockJump
        case stick
        case arrival([JSONValue], at: Int)
        case theft
        case copyCard
        case useCard
        case loss
        case replacement(of: Int)
    }

    public let seed: UInt64
    public let plan: WorldPlan
    let disk: SimulatedDisk
    let time = WorldTime()
    let tap: WireTap
    /// Stands in every text that is written.
    let mark: String
    var random: SimulatedRandom
    var events = EventQueue<Event>()
    var model = WorldModel()
    var thief = Thief()
    /// Copies of devices' stores that lie about.
    var cards: [Card] = []
    /// Devices whose copies were used: of them nothing is promised but that they do no harm.
    var copied: Set<Int> = []
    var nodes: [SimulatedNode] = []
    var devices: [SimulatedDevice] = []
    var channels: [(id: ChannelID, owner: Int)] = []
    /// Links with something on them that a broken contact has left.
    var dirtyLinks: Set<[Int]> = []
    var faults: LinkFaults
    var findings: [Finding] = []
    public internal(set) var tally = WorldTally()

    /// What clocks show at the beginning, where they are right.
    static let start = Timestamp(milliseconds: 1_773_466_632_000)

    /// - Throws: what making the directory throws.
    public init(seed: UInt64, plan: WorldPlan = WorldPlan()) throws {
        self.seed = seed
        self.plan = plan
        disk = try SimulatedDisk()
        random = SimulatedRandom(seed)
        faults = plan.faults
        let mark = "plaintext\(seed % 1_000_000)"
        self.mark = mark
        tap = WireTap(watchingFor: [Array(mark.utf8)])
    }

    public var replay: String { "GODWIT_SEED=\(seed)" }
    /// Bytes of all records that crossed a link.
    public var wireBytes: Int64 { tap.bytes }

    /// Runs the plan to its end, lets everything arrive, and looks at what came of it.
    /// - Returns: what should not be; empty where all is well.
    public func run() async throws -> [Finding] {
        try await settleUp()
        schedule()
        while let next = events.next, next <= plan.length {
            guard let (due, event) = events.take() else { break }
            time.advance(to: max(due, time.milliseconds))
            try await carryOut(event)
        }
        try await comeToRest()
        try await judge()
        try judgeRecovery()
        judgeNonces()
        for node in nodes { try await node.node.close() }
        for device in devices { try await device.device.close() }
        return findings
    }

    func found(_ kind: Finding.Kind, _ text: String) {
        findings.append(Finding(kind: kind, text: "\(text) [day \(time.milliseconds / WorldPlan.day)]"))
    }

    // MARK: Beginning

    private func settleUp() async throws {
        for number in 0..<plan.nodes {
            let clock = VirtualClock(time, showing: Self.start)
            nodes.append(try await SimulatedNode("node-\(number)", in: disk.path + "/node-\(number)", clock))
        }
        for one in nodes {
            for other in nodes where other.id != one.id {
                _ = await one.node.control([
                    "request": "add_peer", "descriptor": .object(other.home.descriptor.object), "calls": false,
                    "profile": "satellite",
                ])
            }
        }
        for number in 0..<plan.users {
            let clock = VirtualClock(time, showing: Self.start)
            clock.set(drift: random.integer(-50...50))
            let node = number % plan.nodes
            devices.append(
                try await SimulatedDevice.enrol(
                    "user-\(number)", user: number, node: node, at: nodes[node], in: disk.path + "/device-\(number)",
                    clock))
            time.advance(to: time.milliseconds + 60_000)
        }
        for _ in 0..<plan.furtherDevices { _ = try await enrolFurther(pick(plan.users)) }
        for number in 0..<plan.channels {
            let owner = number % plan.users
            let name = try ChannelName("#channel-\(number)")
            let id = ChannelID(name: name, node: nodes[devices[owner].node].id)
            try await devices[owner].device.createChannel(name)
            channels.append((id, owner))
        }
        // The owners' wishes arrive before anybody else's.
        for number in 0..<plan.channels { try await contact(number % plan.users) }
        for channel in channels {
            for number in 0..<plan.users where number != channel.owner && random.chance(plan.joining) {
                try await devices[number].device.joinChannel(channel.id)
                devices[number].isDirty = true
            }
        }
    }

    private func schedule() {
        for number in devices.indices {
            events.put(.deviceContact(number), at: time.milliseconds + random.around(plan.deviceContacts))
        }
        for one in nodes.indices {
            events.put(.housekeeping(one), at: time.milliseconds + random.around(plan.housekeeping))
            for other in nodes.indices where other > one {
                events.put(.nodeContact(one, other), at: time.milliseconds + random.around(plan.nodeContacts))
            }
        }
        let kinds: [(Event, Int64)] = [
            (.write, plan.messages), (.change, plan.changes), (.darkness, plan.darknesses), (.restart, plan.restarts),
            (.clockJump, plan.clockJumps), (.stick, plan.sticks), (.theft, plan.thefts), (.copyCard, plan.copies),
            (.useCard, plan.copies), (.loss, plan.losses),
        ]
        for (event, count) in kinds {
            for _ in 0..<count { events.put(event, at: random.integer(time.milliseconds...plan.length)) }
        }
    }
}

/// What happened in a run.
public struct WorldTally: Sendable, Hashable {
    public var written = 0
    public var read = 0
    public var contacts = 0
    public var broken = 0
    public var changes = 0
    public var restarts = 0
    public var sticks = 0
    public var thefts = 0
    public var refused = 0
    public var devices = 0
    public var losses = 0
    /// Readers who were told that a message came too late for them.
    public var late = 0
    /// Messages that readers were shown after later ones of their author, and told so.
    public var overtaken = 0
    public var cards = 0
    public var copies = 0
    /// Keys with a nonce that were seen.
    public var nonces = 0
    /// What the thief tried to decrypt and could not.
    public var withstood = 0
    /// Messages after a theft that the copy does not open.
    public var recovered = 0
    /// Changes of all channels that their nodes have numbered.
    public var versions = 0
    /// Messages that were sealed again for a device.
    public var resealed = 0
    /// Rows of all tables of the largest store of each kind.
    public var deviceRows: [String: Int] = [:]
    public var nodeRows: [String: Int] = [:]
    public var warnings: [String: Int] = [:]
}
