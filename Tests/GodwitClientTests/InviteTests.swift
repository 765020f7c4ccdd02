import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// Invites and invitations as a device makes and takes them (CH-08, CH-10, G-49, G-54).
@Suite("Invites and invitations")
struct InviteTests {
    @Test("an invite is made without any node, as a link that holds all of it behind the mark, and goes with the join")
    func link() async throws {
        let scene = try await DepartureTests.scene(["ines"])
        let scratch = try Scratch()
        let invite = try await scene.devices[0].makeInvite(to: scene.id, lifetime: 3_600_000, uses: 3)
        #expect(try await scene.devices[0].status().queued == 0)
        let parts = invite.link.split(separator: "#")
        #expect(parts.count == 2 && parts[0] == "godwit://invite")
        #expect(
            parts[1].utf8.allSatisfy {
                ("a"..."z").contains(Character(Unicode.Scalar($0)))
                    || ("A"..."Z").contains(Character(Unicode.Scalar($0)))
                    || ("0"..."9").contains(Character(Unicode.Scalar($0))) || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: "_")
            })
        for link in [invite.link, "https://chat.example.com/join#" + parts[1]] {
            let read = try Invite(link: link)
            #expect(read == invite && read.uses == 3 && read.inviter == scene.devices[0].userID)
        }
        let key = scene.devices[0].store.context.signing.publicKey.bytes
        try KeyChecks.verify(invite.object, signedBy: key, purpose: .invite)
        let late = try await scene.hub.enrol("late", in: scratch)
        try await late.joinChannel(with: invite)
        try await scene.hub.settle(scene.devices + [late])
        let command = try #require(await scene.hub.commands.last)
        #expect(command.name == "join_channel" && command.data["invite"]?.object == invite.object)
        #expect(try await late.channels().first?.state == .member)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("links that are none, too long, or whose invite is malformed are refused")
    func badLinks() async throws {
        let scene = try await DepartureTests.scene(["ines"])
        let good = try await scene.devices[0].makeInvite(to: scene.id, lifetime: 1_000).link
        let bad = [
            "", "godwit://invite", "godwit://invite#", "http://x#" + good.dropFirst(16), "godwit://invite#AAAA",
            good + "=", good.replacing("#", with: "#+"), String(good.dropLast(4)),
            "https://" + String(repeating: "x", count: 2_048) + "#AAAA",
        ]
        for link in bad { #expect(throws: ProtocolError.self, "\(link.prefix(40))") { try Invite(link: link) } }
        for lifetime in [0, Invite.lifetimeMax + 1] {
            await #expect(throws: ProtocolError.self) {
                try await scene.devices[0].makeInvite(to: scene.id, lifetime: lifetime)
            }
        }
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("whoever is restricted, or in no channel, makes no invite")
    func mayNot() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena"])
        var change = ChannelChange()
        change.roles = [RoleGrant(userID: scene.devices[1].userID, role: .restricted)]
        try await scene.hub.carryOut(change, in: scene.id)
        try await scene.hub.settle(scene.devices)
        await #expect(throws: ProtocolError.self) {
            try await scene.devices[1].makeInvite(to: scene.id, lifetime: 1_000)
        }
        await #expect(throws: ProtocolError.self) {
            try await scene.devices[0].makeInvite(to: scene.hub.channelID("#other"), lifetime: 1_000)
        }
        let roles = try await scene.devices[0].channelDetails(scene.id).members.map(\.role)
        #expect(roles.contains(.restricted))
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("an invitation shows the channel as one to enter; at most 256 are kept")
    func invitations() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena"])
        let (hub, olena) = (scene.hub, scene.devices[1])
        func invite(_ name: ChannelName, to user: UserID) async throws {
            let invitation = Invitation(
                channel: ChannelID(name: name, node: hub.id), to: user, inviter: scene.devices[0].userID,
                at: hub.time.now())
            await hub.push(invitation.object, to: olena.party)
        }
        try await invite(ChannelName("#for-another"), to: scene.devices[0].userID)
        for number in 0...ClientTransaction.invitedMax {
            try await invite(ChannelName("#room-\(number)"), to: olena.userID)
        }
        try await invite(scene.id.name, to: olena.userID)
        try await olena.deliver(await hub.drain(olena.party))
        let states = try await olena.channels().map(\.state)
        #expect(states.count { $0 == .invited } == 256 && states.count { $0 == .member } == 1)
        #expect(try await olena.codes().sorted { $0.rawValue < $1.rawValue } == [.misdirected, .overflow])
        let id = try hub.channelID("#room-0")
        #expect(try await olena.channelDetails(id).inviter == scene.devices[0].userID)
        await #expect(throws: ProtocolError.self) { try await olena.send(text: "x", to: .channel(id)) }
        try await olena.joinChannel(id)
        #expect(try await olena.channelDetails(id).state == .joining)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a group direct has its name before any node was reached, and its command names the members")
    func group() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena"])
        let (hub, ines) = (scene.hub, scene.devices[0])
        let id = try await ines.createGroup(with: [scene.devices[1].userID], topic: "boat")
        #expect(id.name.isGroup)
        #expect(try await ines.send(text: "are you there?", to: .channel(id)).state == .waitingKeys)
        try await hub.settle(scene.devices)
        let command = try #require(await hub.commands.last { $0.name == "create_channel" })
        #expect(command.data["members"]?.array == [.string(scene.devices[1].userID.text)])
        #expect(command.data["visibility"]?.string == "private" && command.data["topic"]?.string == "boat")
        #expect(try await ines.outbox().last?.state == .atNode)
        for count in [0, 65] {
            let users = try (0..<count).map { UserID(node: hub.id, username: try Username("user-\($0)")) }
            await #expect(throws: ProtocolError.self) { try await ines.createGroup(with: users) }
        }
        withExtendedLifetime(scene.scratches) {}
    }
}
