import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Pre-keys of several devices of a user, and KEM pre-keys (docs/protocol.md §6.3; AUTH-15, G-101).
@Suite("Bundles of devices")
struct BundleTests {
    /// alice with several devices that have published keys, all signed by the first one's identity key.
    private func enrol(_ count: Int, at node: TestNode, kem: Bool = true) async throws -> [Person] {
        let people = try (0..<count).map { _ in try Person("alice", at: node.id) }
        let first = people[0]
        try await TestClient(node).register(first, at: node)
        let list = try DeviceList(
            first.deviceList(with: Array(people.dropFirst()), kem: kem ? KEMPreKey.kind : nil))
        try await node.node.core.write { transaction in
            try transaction.introduce(first.id, publicKey: first.identityKey.publicKey.bytes, list: list)
        }
        return people
    }

    @discardableResult
    private func publish(
        _ person: Person, at node: TestNode, kem: JSONObject? = nil, oneTime: ClosedRange<UInt32> = 1...2
    ) async throws -> Int {
        try await node.node.core.write { transaction in
            try transaction.publish(
                SignedPreKey(person.signedPreKey()), kem: kem.map { try KEMPreKey($0) },
                oneTime: oneTime.map { OneTimePreKey(id: $0, key: [UInt8](repeating: UInt8($0), count: 32)) },
                of: person.id, person.device)
        }
    }

    private func lookUp(_ user: UserID, at node: TestNode, refresh: Bool = false) async throws -> UserLookupResult {
        let asker = try Party("\(node.id.text).bob/abcdefgh")
        return try await node.node.core.write { transaction in
            try transaction.lookUp(
                UserLookup(
                    userID: user, requestingNode: node.id, requester: asker, at: transaction.now, isRefresh: refresh))
        }
    }

    @Test("a lookup brings the keys of each listed device that has published its own, in the list's order")
    func severalDevices() async throws {
        try await TestNode.with { node in
            let people = try await enrol(3, at: node)
            try await publish(people[0], at: node, kem: people[0].kemPreKey(1))
            try await publish(people[2], at: node, kem: people[2].kemPreKey(2))
            for round in 1...3 {
                let found = try #require(try await lookUp(people[0].id, at: node).found)
                #expect(found.bundles.map(\.device) == [people[0].device, people[2].device])
                #expect(found.bundles.map(\.kemPreKey?.object) == [people[0].kemPreKey(1), people[2].kemPreKey(2)])
                let id = round < 3 ? UInt32(round) : nil
                #expect(found.bundles.map(\.oneTimePreKey?.id) == [id, id])
            }
        }
    }

    @Test("a device whose entry names a KEM is left out until it has published a KEM pre-key")
    func incomplete() async throws {
        try await TestNode.with { node in
            let people = try await enrol(2, at: node)
            for person in people { try await publish(person, at: node) }
            #expect(try await lookUp(people[0].id, at: node).found == nil)
            try await publish(people[1], at: node, kem: people[1].kemPreKey())
            #expect(try await lookUp(people[0].id, at: node).found?.bundles.map(\.device) == [people[1].device])
            // A publication without one leaves the one before.
            try await publish(people[1], at: node)
            let bundle = try #require(try await lookUp(people[0].id, at: node).found?.bundles.first)
            #expect(bundle.kemPreKey?.object == people[1].kemPreKey())
        }
    }

    @Test("a refresh takes no one-time pre-key and brings no KEM pre-key")
    func refresh() async throws {
        try await TestNode.with { node in
            let people = try await enrol(1, at: node)
            try await publish(people[0], at: node, kem: people[0].kemPreKey())
            let result = try await lookUp(people[0].id, at: node, refresh: true)
            let bundle = try #require(result.found?.bundles.first)
            #expect(result.isRefresh && bundle.kemPreKey == nil && bundle.oneTimePreKey == nil)
            #expect(bundle.signedPreKey.object == people[0].signedPreKey())
            #expect(try await node.count("node_one_time_key") == 2)
        }
    }

    @Test("a KEM pre-key has at most 2,560 bytes, and is the device's own")
    func limits() async throws {
        try await TestNode.with { node in
            let people = try await enrol(2, at: node)
            let around = people[0].kemPreKey(pad: 1).canonicalBytes().count - 1
            let most = NodeTransaction.kemPreKeyMax
            #expect(most == 2_560)
            try await publish(people[0], at: node, kem: people[0].kemPreKey(pad: most - around))
            let tooLarge = try await refusal {
                try await publish(people[0], at: node, kem: people[0].kemPreKey(pad: most - around + 1))
            }
            #expect(tooLarge.code == .messageTooLarge)
            let foreign = try await refusal { try await publish(people[0], at: node, kem: people[1].kemPreKey()) }
            #expect(foreign.code == .insufficientPermissions)
            let forged = people[0].kemPreKey().setting("id", 7)
            let unsigned = try await refusal { try await publish(people[0], at: node, kem: forged) }
            #expect(unsigned.code == .invalidCredentials)
        }
    }

    @Test("the bundles of 16 devices with large keys fit into an item")
    func sixteen() async throws {
        try await TestNode.with { node in
            let people = try await enrol(16, at: node)
            for person in people { try await publish(person, at: node, kem: person.kemPreKey()) }
            let usual = try await lookUp(people[0].id, at: node)
            #expect(usual.found?.bundles.count == 16)
            var random = SystemRandomNumberGenerator()
            for person in people {
                let text = (0..<550).map { _ in "\(UInt8.random(in: 0...9, using: &random))" }.joined()
                let around = person.kemPreKey().setting("pad", .string(text)).omitting(["signature"])
                try await publish(
                    person, at: node, kem: person.deviceKey.signed(Self.incompressible(around), purpose: .preKey),
                    oneTime: 3...4)
            }
            let large = try await lookUp(people[0].id, at: node)
            #expect(large.found?.bundles.count == 16)
            let asker = try Party("\(node.id.text).alice/\(people[0].device.text)")
            _ = try await node.node.core.write { try $0.enqueueAnew(large.object, to: asker) }
        }
    }

    /// The same with a key of random bytes, as real ones are.
    private static func incompressible(_ preKey: JSONObject) -> JSONObject {
        preKey.setting("key", .string("mlkem768:" + Base64.encode(SystemRandom().bytes(KEMPreKey.keyCount))))
    }
}
