import GodwitBatch
import GodwitCompression
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Several devices of one user at the hub.
extension Hub {
    /// To the reader's devices and the author's others; among own devices to those only that have a key.
    func directTargets(of message: Message, from source: Party) -> [Party] {
        guard case .direct(let address) = message.address else { return [] }
        if message.isAmongOwn { return message.wraps.map(\.party) }
        return publications.keys.filter { party in
            party != source && (party.user == address.user || party.user == message.author)
        }
    }

    func newestList(of user: UserID) -> DeviceList? {
        publications.values.map(\.deviceList).filter { $0.userID == user }.max { $0.version < $1.version }
    }

    /// A further device of a user, enrolled as the command does it, and announced unless a test does so itself.
    func enrolFurther(
        _ first: Device, key: SigningKey, in scratch: Scratch, announcing: Bool = true,
        link: Profile = .preset(.satellite)
    ) async throws -> Device {
        let device = try await Device.create(
            directory: scratch.path, identity: first.identityFile, identityKey: key, node: descriptor, time: time,
            link: link, models: PhraseModelLibrary())
        let current = try #require(newestList(of: first.userID))
        publications[device.party] = try await device.join(current, signedBy: key)
        if announcing { try announce(first.userID) }
        return device
    }

    /// Gives a user's newest list to everybody; a device that is not in it any more has nothing here.
    func announce(_ user: UserID) throws {
        guard let list = newestList(of: user), let key = userKeys[user] else { return }
        let introduction = Introduction(userID: user, publicKey: key, deviceList: list)
        for party in Array(publications.keys) {
            let isListed = list.devices.contains { $0.party == party }
            if party.user == user, !isListed {
                publications[party] = nil
                queues[party] = nil
            } else {
                push(introduction.object, to: party)
            }
            if isListed { publications[party]?.deviceList = list }
        }
    }

    /// The keys of a device are gone from the hub, and it stays in its user's list.
    func forgetKeys(_ party: Party) { publications[party] = nil }

    /// The messages that are on their way to a device, in order.
    func waitingMessages(for party: Party) throws -> [Message] {
        try (queues[party] ?? []).filter { $0.kind == .message }.map { try Message(parsing: $0.body) }
    }
}

/// Two users with several devices each at one hub.
struct Families {
    let hub: Hub
    let aminaKey: SigningKey
    let laylaKey: SigningKey
    let amina: [Device]
    let layla: [Device]
    let scratches: [Scratch]

    /// - Parameter announcing: each device is announced as it is enrolled; else all together, which takes less time.
    init(
        amina aminaCount: Int = 2, layla laylaCount: Int = 2, time: ManualTime = ManualTime(),
        link: Profile = .preset(.satellite), announcing: Bool = true
    ) async throws {
        hub = try Hub(time: time)
        aminaKey = try .generate()
        laylaKey = try .generate()
        scratches = try (0..<aminaCount + laylaCount).map { _ in try Scratch() }
        var all: [[Device]] = []
        for (name, key, range) in [
            ("amina", aminaKey, 0..<aminaCount), ("layla", laylaKey, aminaCount..<aminaCount + laylaCount),
        ] {
            let first = try await hub.enrol(name, in: scratches[range.lowerBound], key: key, link: link)
            var devices = [first]
            for index in range.dropFirst() {
                devices.append(
                    try await hub.enrolFurther(
                        first, key: key, in: scratches[index], announcing: announcing, link: link))
            }
            if !announcing { try await hub.announce(first.userID) }
            all.append(devices)
        }
        (amina, layla) = (all[0], all[1])
    }

    var all: [Device] { amina + layla }

    func settle() async throws { try await hub.settle(all) }

    /// Texts of the conversation as a device shows it, written and received, by the authors' clocks.
    func conversation(on device: Device) async throws -> [String] {
        let received = try await device.inbox(limit: 10_000).map { ($0.timestamp, $0.text) }
        let own = try await device.outbox(limit: 10_000)
        let written = own.filter { $0.relatesTo == nil }.map { ($0.created, $0.text) }
        return (received + written).sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.1)
    }
}
