import GodwitBatch
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Channels with several devices of one user (D-14, AUTH-15)")
struct OwnChannelTests {
    /// #crew with Amina's device and both of Layla's; the second went where the first was.
    private static func crew() async throws -> (families: Families, id: ChannelID) {
        let families = try await Families(amina: 1, layla: 2)
        let id = try families.hub.channelID("#crew")
        try await families.amina[0].createChannel(id.name)
        try await families.layla[0].joinChannel(id)
        try await families.settle()
        let layla = families.layla[1]
        let invitation = Invitation(channel: id, to: layla.userID, inviter: layla.userID, at: families.hub.time.now())
        await families.hub.push(invitation.object, to: layla.party)
        try await families.settle()
        return (families, id)
    }

    @Test("a device enters the channels of its user's others, and what any of them writes is shown as own")
    func entered() async throws {
        let (families, id) = try await Self.crew()
        #expect(try await families.layla[1].channels().map(\.state) == [.member])
        for (device, text) in [(families.amina[0], "a"), (families.layla[0], "l0"), (families.layla[1], "l1")] {
            try await device.send(text: text, to: .channel(id))
            try await families.settle()
            families.hub.time.advance(1_000)
        }
        for device in families.all {
            #expect(try await families.conversation(on: device) == ["a", "l0", "l1"])
            #expect(try await device.codes() == [])
        }
        for (device, other) in [(families.layla[0], "l1"), (families.layla[1], "l0")] {
            let own = try await device.inbox().filter { $0.author == device.userID }
            #expect(own.map(\.text) == [other] && own.allSatisfy(\.isRead))
        }
        #expect(try await families.amina[0].inbox().allSatisfy { !$0.isRead })
    }

    @Test("read marks and deletions in a channel hold on all devices of the user")
    func marks() async throws {
        let (families, id) = try await Self.crew()
        try await families.amina[0].send(text: "a", to: .channel(id))
        try await families.layla[0].send(text: "wrong", to: .channel(id))
        try await families.settle()
        let seen = try #require(try await families.layla[1].inbox().first { $0.text == "a" })
        try await families.layla[1].markRead(upTo: seen.row)
        let wrong = try #require(try await families.layla[1].inbox().first { $0.text == "wrong" })
        try await families.layla[1].delete([wrong.id])
        try await families.settle()
        #expect(try await families.layla[0].inbox().map(\.isRead) == [true])
        #expect(try await families.layla[0].outbox().map(\.isDeleted) == [true])
        #expect(try await families.amina[0].inbox().map(\.isDeleted) == [true])
    }

    @Test("a removed device reads nothing of what comes after, for the channel has a fresh secret (D-14, G-11)")
    func removed() async throws {
        let (families, id) = try await Self.crew()
        let stolen = families.layla[1]
        try await families.hub.remove(stolen, from: id, sponsor: families.layla[0])
        let rest = families.amina + [families.layla[0]]
        try await families.hub.settle(rest)
        try await families.amina[0].send(text: "secret", to: .channel(id))
        try await families.hub.settle(rest)
        #expect(try await families.layla[0].texts() == ["secret"])
        let items = await families.hub.log.filter { $0.kind == .message || $0.kind == .object }
        try await stolen.deliver(items.filter { $0.kind == .message })
        #expect(try await stolen.texts() == [])
    }
}
