import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Channels inside channels: who makes them, and what they inherit (CH-02, CH-04, WS-11, G-55).
@Suite("Sub-channels")
struct SubchannelTests {
    @Test("admins and the owner of the channel above make one, whose owner is that one's; others are refused")
    func creating() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            for role in Role.allCases {
                let code = try await room[role].ask(room[role].create("#room/\(role.rawValue)"), over: .batch)
                #expect(code == (role >= .admin ? nil : .insufficientPermissions), "\(role)")
            }
            #expect(
                try await room.stranger.ask(room.stranger.create("#room/x"), over: .socket) == .insufficientPermissions)
            let (owner, admin) = (room[.owner], room[.admin])
            #expect(try await node.role(of: admin, in: "#room/admin", seenBy: admin) == "admin")
            // The owner need not be in it to act on it.
            try await owner.must(owner.order("set_channel", "#room/admin", ["topic": "Tides"]))
            #expect(
                try await admin.ask(admin.order("delete_channel", "#room/admin"), over: .socket)
                    == .insufficientPermissions)
            #expect(
                try await owner.ask(owner.order("transfer_channel", "#room/admin", owner.about(admin)), over: .socket)
                    == .insufficientPermissions)
            try await owner.must(owner.order("delete_channel", "#room/admin"))
        }
    }

    @Test("five levels, and roles come down from the nearest that says something")
    func inheriting() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (owner, moderator, member) = (room[.owner], room[.moderator], room[.member])
            var name = "#room"
            for level in 2...5 {
                name += "/\(level)"
                try await owner.must(owner.create(name))
                for someone in [moderator, member, room[.restricted]] { try await someone.must(someone.join(name)) }
            }
            #expect(try await owner.ask(owner.create(name + "/6"), over: .socket) == .invalidMessageFormat)
            for (someone, role) in [(owner, "owner"), (moderator, "moderator"), (room[.restricted], "restricted")] {
                #expect(try await node.role(of: someone, in: name, seenBy: owner) == role)
            }
            // An own row in the middle counts from there down, and those below are told.
            try await owner.must(owner.order("set_role", "#room/2/3", owner.about(member, ["role": "moderator"])))
            for (channel, role) in [("#room/2", "member"), ("#room/2/3", "moderator"), (name, "moderator")] {
                #expect(try await node.role(of: member, in: channel, seenBy: owner) == role)
            }
            try await eventually("the change at the lowest level") {
                member.client.outbox.objects("membership").contains {
                    $0["channel"]?.string == name && $0["roles"]?.array?.count == 1 && $0["joined"] == nil
                }
            }
            // Muted above: silent below, but where an own row says otherwise.
            try await owner.must(owner.order("set_role", "#room", owner.about(moderator, ["role": "restricted"])))
            #expect(
                try await moderator.send(moderator.person.message(to: name, at: node.id), over: .batch)
                    == .insufficientPermissions)
            try await owner.must(owner.order("set_role", "#room", owner.about(member, ["role": "restricted"])))
            #expect(try await member.send(member.person.message(to: name, at: node.id), over: .batch) == nil)
        }
    }

    @Test("a ban above keeps out below unless lifted there; a removal above takes out below")
    func bans() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (owner, target) = (room[.owner], room.target)
            for name in ["#room/a", "#room/b"] {
                try await owner.must(owner.create(name))
                try await target.must(target.join(name))
            }
            try await owner.must(owner.order("unban_user", "#room/b", owner.about(target)))
            try await owner.must(owner.order("ban_user", "#room", owner.about(target)))
            for name in ["#room", "#room/a", "#room/b"] {
                #expect(try await node.role(of: target, in: name, seenBy: owner) == nil)
                #expect(try await target.ask(target.join(name), over: .socket) == .insufficientPermissions)
            }
            try await owner.must(owner.order("unban_user", "#room/b", owner.about(target)))
            #expect(try await target.ask(target.join("#room/a"), over: .socket) == .insufficientPermissions)
            #expect(try await target.ask(target.join("#room/b"), over: .socket) == nil)
            // Banned above anew: the exception still holds below.
            try await owner.must(owner.order("ban_user", "#room", owner.about(target)))
            #expect(try await node.role(of: target, in: "#room/b", seenBy: owner) == "member")
            try await owner.must(owner.order("remove_member", "#room/b", owner.about(target)))
            #expect(try await node.role(of: target, in: "#room/b", seenBy: owner) == nil)
        }
    }

    @Test("inside a private channel all is private, but open to its members; deleting it deletes them")
    func privacy() async throws {
        try await TestNode.with { node in
            let room = try await Room(node, visibility: "private")
            let owner = room[.owner]
            try await owner.must(owner.create("#room/a"))
            try await owner.must(owner.create("#room/a/b"))
            #expect(try await room.stranger.ask(room.stranger.join("#room/a/b"), over: .socket) == .channelNotFound)
            #expect(try await room.target.ask(room.target.join("#room/a/b"), over: .socket) == nil)
            let listed = try await room.stranger.client.command("list_channels", [:])
            #expect(listed["channels"]?.array?.isEmpty == true)
            try await owner.must(owner.order("delete_channel", "#room"))
            #expect(try await node.count("node_channel") == 0)
            try await eventually("the end of the lowest") {
                room.target.client.outbox.objects("membership").contains {
                    $0["channel"]?.string == "#room/a/b" && $0["ended"]?.bool == true
                }
            }
        }
    }

    @Test("a name above channels that stand alone is not given away; 256 channels fit inside one")
    func limits() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let owner = room[.owner]
            try await node.node.core.write { transaction in
                for number in 0..<255 {
                    try transaction.run(
                        """
                        INSERT INTO node_channel (name, node, version, created, last_activity)
                        VALUES (?, (SELECT node FROM node_channel), 1, 0, 0)
                        """, ["#room/n\(number)"])
                }
                try transaction.run(
                    "UPDATE node_channel SET name = '#alone/n0' WHERE name = '#room/n0'")
            }
            #expect(try await owner.ask(owner.create("#alone"), over: .socket) == .insufficientPermissions)
            // Who makes one where nothing is above owns it; where something is, that counts, however far above.
            try await room.stranger.must(room.stranger.create("#lone/level/three"))
            #expect(try await node.role(of: room.stranger, in: "#lone/level/three", seenBy: owner) == "owner")
            let deep = room[.member].create("#room/missing/deep")
            #expect(try await room[.member].ask(deep, over: .batch) == .insufficientPermissions)
            for name in ["#room/one", "#room/two"] { try await owner.must(owner.create(name)) }
            #expect(try await owner.ask(owner.create("#room/three"), over: .socket) == .insufficientPermissions)
        }
    }
}
