import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Bans, mutes and removals, and how they end: by uptime, never by a jump of the clock (D-16, G-52, G-53).
@Suite("Bans, mutes, removals")
struct SanctionTests {
    private static func until(_ node: TestNode, _ milliseconds: Int64) -> JSONValue {
        .string(node.time.now().adding(milliseconds: milliseconds).description)
    }

    @Test("a removed member is told, sends no more, and may come back")
    func removed() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (moderator, target) = (room[.moderator], room.target)
            try await moderator.must(moderator.order("remove_member", "#room", moderator.about(target)))
            try await eventually("the change at the removed") {
                target.client.outbox.objects("membership").last?["left"]?.array == [.string(target.person.party.text)]
            }
            let update = target.client.outbox.events("channel_update").last
            #expect(update?["action"]?.string == "member_left")
            #expect(update?["details"]?.object?["user_id"]?.string == target.person.id.text)
            #expect(
                try await target.send(target.person.message(to: "#room", at: node.id), over: .batch)
                    == .insufficientPermissions)
            // Nothing of the channel is kept for it from now on.
            let before = try await node.queue(for: target.person.party).count
            #expect(
                try await moderator.send(moderator.person.message(to: "#room", at: node.id), over: .socket) == nil)
            try await moderator.must(
                moderator.order("set_role", "#room", moderator.about(room[.member], ["role": "restricted"])))
            #expect(try await node.queue(for: target.person.party).count == before)
            try await target.must(target.join("#room"))
            #expect(try await node.role(of: target, in: "#room", seenBy: target) == "member")
        }
    }

    @Test("a temporary ban ends when the node has been up for long enough, whatever its clock says")
    func temporaryBan() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (admin, target) = (room[.admin], room.target)
            let data = admin.about(target, ["until": Self.until(node, 3_600_000), "reason": "spam"])
            try await admin.must(admin.order("ban_user", "#room", data))
            let refused = try await refusal {
                try await target.client.channel("join_channel", "#room", by: target.person, at: node.id)
            }
            #expect(refused.code == .insufficientPermissions && refused.details["banned"]?.bool == true)
            #expect(refused.details["until"] != nil && refused.details["reason"] == nil)
            // A clock that jumps a year on ends nothing, one that jumps back prolongs nothing.
            node.time.setWall(back: -31_536_000_000)
            try await node.pass(3_599_999)
            #expect(try await target.ask(target.join("#room"), over: .socket) == .insufficientPermissions)
            node.time.setWall(back: 63_072_000_000)
            try await node.pass(1)
            #expect(try await target.ask(target.join("#room"), over: .socket) == nil)
        }
    }

    @Test("a mute silences for its time, then the role before is back and the channel is told")
    func mute() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let owner = room[.owner]
            for (target, before) in [(room.target, "member"), (room[.moderator], "moderator")] {
                let data = owner.about(target, ["role": "restricted", "until": Self.until(node, 60_000)])
                try await owner.must(owner.order("set_role", "#room", data))
                #expect(
                    try await target.send(target.person.message(to: "#room", at: node.id), over: .batch)
                        == .insufficientPermissions)
                node.time.setWall(back: 86_400_000)
                try await node.pass(59_999)
                #expect(try await node.role(of: target, in: "#room", seenBy: owner) == "restricted")
                try await node.pass(1)
                #expect(try await node.role(of: target, in: "#room", seenBy: owner) == before)
                try await eventually("the word of it") {
                    owner.client.outbox.objects("membership").last?["roles"]?.array?.last?.object?["role"]?.string
                        == before
                }
                let message = target.person.message(to: "#room", at: node.id, time: node.time.now())
                #expect(try await target.send(message, over: .batch) == nil)
            }
        }
    }

    @Test("who is muted for good stays so after leaving and coming back")
    func muteStays() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (owner, target) = (room[.owner], room.target)
            try await owner.must(owner.order("set_role", "#room", owner.about(target, ["role": "restricted"])))
            try await target.must(target.order("leave_channel", "#room"))
            try await target.must(target.join("#room"))
            #expect(try await node.role(of: target, in: "#room", seenBy: owner) == "restricted")
            #expect(
                try await target.send(target.person.message(to: "#room", at: node.id), over: .socket)
                    == .insufficientPermissions)
        }
    }

    @Test("a queue that takes no more holds up one end of a mute, but no ageing and no other (D-16)")
    func fullQueue() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let owner = room[.owner]
            let data = owner.about(room.target, ["role": "restricted", "until": Self.until(node, 60_000)])
            try await owner.must(owner.order("set_role", "#room", data))
            try await node.node.core.spool.write { transaction in
                // More than any destination may have.
                try transaction.database.execute(
                    sql: "UPDATE spool_party SET items = 1 << 40 WHERE name = ?",
                    arguments: [room.stranger.person.party.text])
                try transaction.database.execute(
                    sql: "UPDATE spool_party SET items = 1 << 40 WHERE name = ?", arguments: [owner.person.party.text])
            }
            let before = try await node.node.core.spool.read { try $0.uptime() }
            try await node.pass(60_000)
            #expect(try await node.node.core.spool.read { try $0.uptime() } == before + 60_000)
            #expect(try await node.role(of: room.target, in: "#room", seenBy: owner) == "restricted")
            try await node.node.core.spool.write { transaction in
                try transaction.database.execute(
                    sql: "UPDATE spool_party SET items = (SELECT count(*) FROM spool_item WHERE destination = party)")
            }
            try await node.pass(600_000)
            #expect(try await node.role(of: room.target, in: "#room", seenBy: owner) == "member")
        }
    }

    @Test("a time that has passed, or a role for a time that cannot be one, is refused")
    func badTimes() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let owner = room[.owner]
            let cases: [(String, JSONObject)] = [
                ("ban_user", ["until": Self.until(node, 0)]),
                ("ban_user", ["until": Self.until(node, 315_360_000_001)]),
                ("ban_user", ["until": "2025-09-06"]),
                ("set_role", ["role": "restricted", "until": Self.until(node, -1)]),
                ("set_role", ["role": "moderator", "until": Self.until(node, 1_000)]), ("set_role", ["role": "king"]),
                ("ban_user", ["reason": .string(String(repeating: "x", count: 1_025))]),
            ]
            let before = try await node.channelState()
            for (name, data) in cases {
                let command = owner.order(name, "#room", owner.about(room.target, data))
                #expect(try await owner.ask(command, over: .socket) == .invalidMessageFormat, "\(data)")
            }
            #expect(try await node.channelState() == before)
            let most = owner.about(
                room.target,
                ["until": Self.until(node, 315_360_000_000), "reason": .string(String(repeating: "x", count: 1_024))])
            try await owner.must(owner.order("ban_user", "#room", most))
        }
    }

    @Test("those who may ban see who is banned, why and until when, page by page; nobody else does")
    func list() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let moderator = room[.moderator]
            for someone in [room.target, room.stranger, room[.member]] {
                try await moderator.must(
                    moderator.order("ban_user", "#room", moderator.about(someone, ["reason": "noise"])))
            }
            let query: JSONObject = ["channel": "#room", "limit": 2]
            let first = try await moderator.client.command("list_bans", query)
            let rest = try await moderator.client.command("list_bans", query.setting("after", first["next"] ?? .null))
            let bans = ((first["bans"]?.array ?? []) + (rest["bans"]?.array ?? [])).compactMap(\.object)
            #expect(first["bans"]?.array?.count == 2 && rest["next"] == nil)
            let banned = [room[.member], room.stranger, room.target].map { JSONValue.string($0.person.id.text) }
            #expect(bans.compactMap { $0["user_id"] } == banned)
            #expect(bans.allSatisfy { $0["reason"]?.string == "noise" && $0["by"]?.string == moderator.person.id.text })
            for other in [room[.restricted], room.stranger] {
                #expect(
                    try await refusal { try await other.client.command("list_bans", query) }.code
                        == .insufficientPermissions)
            }
            try await moderator.must(moderator.order("unban_user", "#room", moderator.about(room.stranger)))
            #expect(try await room.stranger.ask(room.stranger.join("#room"), over: .socket) == nil)
        }
    }

    @Test("a ban in the frame of a join comes after it, and one whose command is repeated bans once")
    func oneFrame() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let (owner, stranger) = (room[.owner], room.stranger)
            let join = try ProtocolObject(stranger.join("#room"))
            let ban = try ProtocolObject(owner.order("ban_user", "#room", owner.about(stranger)))
            try await node.node.core.write { transaction in
                try transaction.dispatch(join, from: stranger.person.party)
                try transaction.dispatch(ban, from: owner.person.party)
                try transaction.dispatch(ban, from: owner.person.party)
            }
            #expect(try await node.role(of: stranger, in: "#room", seenBy: owner) == nil)
            #expect(try await node.count("node_ban") == 1)
            #expect(try await stranger.ask(stranger.join("#room"), over: .socket) == .insufficientPermissions)
        }
    }

    @Test("a channel takes 4,096 bans")
    func limit() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            try await node.node.core.write { transaction in
                for number in 0..<(NodeTransaction.bansMax - 1) {
                    try transaction.run(
                        """
                        INSERT INTO node_ban (channel, user, banned, moderator, at)
                        SELECT channel, ?, 1, 'x', 0 FROM node_channel
                        """, ["elsewher.user\(number)"])
                }
            }
            let owner = room[.owner]
            try await owner.must(owner.order("ban_user", "#room", owner.about(room.stranger)))
            let more = owner.order("ban_user", "#room", owner.about(room.target))
            #expect(try await owner.ask(more, over: .socket) == .insufficientPermissions)
            #expect(try await node.role(of: room.target, in: "#room", seenBy: owner) == "member")
        }
    }
}
