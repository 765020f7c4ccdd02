import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// What a device had sent before it was struck from its user's list (docs/protocol.md §6.2).
@Suite("Devices that were struck")
struct StruckTests {
    private static let day: Int64 = 86_400_000

    /// Amina's second device has written to somebody who knows nothing of her yet.
    private static func scene() async throws -> (families: Families, waiting: [BatchItem]) {
        let families = try await Families(layla: 1)
        try await families.settle()
        let (lost, reader) = (families.amina[1], families.layla[0])
        // The reader's node has told nothing of Amina.
        try await reader.execute("DELETE FROM client_contact WHERE user = '\(lost.userID.text)'")
        try await lost.send(text: "the last word", to: .user(reader.userID))
        for _ in 0..<3 {
            try await families.hub.collect(from: lost)
            try await lost.deliver(await families.hub.drain(lost.party))
        }
        let waiting = await families.hub.drain(reader.party).filter { $0.kind == .message }
        #expect(waiting.count == 1)
        return (families, waiting)
    }

    private static func strike(_ device: Device, by other: Device, _ families: Families) async throws {
        let current = try #require(await families.hub.newestList(of: device.userID))
        let publication = try await other.remove(device.deviceID, from: current, signedBy: families.aminaKey)
        await families.hub.edit(other.party) { $0 = publication }
        try await families.hub.announce(device.userID)
    }

    private static func list(of families: Families) async throws -> DeviceList {
        try #require(await families.hub.newestList(of: families.amina[0].userID))
    }

    @Test("its first message is read by who has never seen a list with it (PQXDH)")
    func neverSeen() async throws {
        let (families, waiting) = try await Self.scene()
        let reader = families.layla[0]
        try await Self.strike(families.amina[1], by: families.amina[0], families)
        let list = try await Self.list(of: families)
        #expect(list.devices.map(\.device) == [families.amina[0].deviceID])
        #expect(list.revoked.map(\.device) == [families.amina[1].deviceID])
        // The message comes ahead of the list, and waits for it.
        try await reader.deliver(waiting)
        #expect(try await reader.status().pending == 1)
        try await reader.deliver(await families.hub.drain(reader.party))
        #expect(try await reader.inbox().map(\.text) == ["the last word"])
        #expect(try await reader.status().pending == 0)
        #expect(try await reader.codes() == [])
        // Nothing is sent to it.
        try await reader.send(text: "who is there?", to: .user(families.amina[0].userID))
        try await families.hub.settle([families.amina[0], reader])
        let queue = await families.hub.drain(families.amina[1].party)
        #expect(queue.allSatisfy { $0.kind == .receipt })
    }

    @Test("a successor of the list names it for 37 days of the issuer's uptime, or until it is back")
    func named() async throws {
        let families = try await Families(amina: 3, layla: 1)
        try await families.settle()
        let (first, second, third) = (families.amina[0], families.amina[1], families.amina[2])
        try await Self.strike(third, by: first, families)
        try await Self.strike(second, by: first, families)
        #expect(try await Self.list(of: families).revoked.map(\.device) == [third, second].map(\.deviceID))
        let scratch = try Scratch()
        families.hub.time.advance(36 * Self.day)
        let fourth = try await families.hub.enrolFurther(first, key: families.aminaKey, in: scratch)
        // One that learns of them only now counts from now on.
        #expect(try await Self.list(of: families).revoked.count == 2)
        try await families.hub.settle([first, fourth])
        families.hub.time.advance(Self.day)
        try await first.prepareContact()
        try await Self.strike(fourth, by: first, families)
        #expect(try await Self.list(of: families).revoked.map(\.device) == [fourth.deviceID])
        await families.hub.edit(first.party) { _ in }
        let publication = try await fourth.join(try await Self.list(of: families), signedBy: families.aminaKey)
        #expect(publication.deviceList.revoked.isEmpty && publication.deviceList.devices.count == 2)
    }

    @Test("a list that goes on naming it does not keep its keys longer than 37 days")
    func forgotten() async throws {
        let (families, waiting) = try await Self.scene()
        let reader = families.layla[0]
        try await Self.strike(families.amina[1], by: families.amina[0], families)
        try await reader.deliver(await families.hub.drain(reader.party))
        let count = "SELECT count(*) FROM client_struck"
        #expect(try await reader.number(count) == 1)
        families.hub.time.advance(37 * Self.day - 1)
        try await reader.prepareContact()
        #expect(try await reader.number(count) == 1)
        families.hub.time.advance(1)
        try await reader.prepareContact()
        #expect(try await reader.number(count) == 0)
        let list = try await Self.list(of: families)
        let next = try DeviceList(
            families.aminaKey.signed(
                list.object.setting("version", .integer(list.version + 1)), purpose: .deviceList))
        await families.hub.push(
            Introduction(
                userID: next.userID, publicKey: families.aminaKey.publicKey.bytes, deviceList: next
            ).object, to: reader.party)
        try await reader.deliver(await families.hub.drain(reader.party))
        try await reader.deliver(waiting)
        #expect(try await reader.number(count) == 0)
        #expect(try await reader.inbox().isEmpty)
        #expect(try await reader.status().pending == 1)
    }

    @Test("what waits a day for its author's list asks the author's node for it, and again every three days")
    func asked() async throws {
        let (families, waiting) = try await Self.scene()
        let reader = families.layla[0]
        try await Self.strike(families.amina[1], by: families.amina[0], families)
        // The introduction is lost.
        _ = await families.hub.drain(reader.party)
        try await reader.deliver(waiting)
        func lookups() async throws -> Int {
            try await reader.prepareContact()
            return try await reader.handOver().count {
                if case .lookup(let lookup) = try ProtocolObject(parsing: $0.body) { lookup.isRefresh } else { false }
            }
        }
        families.hub.time.advance(Self.day - 1)
        #expect(try await lookups() == 0)
        families.hub.time.advance(1)
        #expect(try await lookups() == 1)
        families.hub.time.advance(3 * Self.day - 1)
        #expect(try await lookups() == 0)
        families.hub.time.advance(1)
        try await reader.prepareContact()
        try await families.hub.collect(from: reader)
        try await reader.deliver(await families.hub.drain(reader.party))
        #expect(try await reader.inbox().map(\.text) == ["the last word"])
    }
}
