import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Invites: made without any node, judged by the channel's node when they are used (CH-07, CH-08, G-54).
@Suite("Invites")
struct InviteTests {
    private static func room(_ body: (TestNode, Room) async throws -> Void) async throws {
        try await TestNode.with { node in try await body(node, try await Room(node, visibility: "private")) }
    }

    private static func code(_ room: Room, _ invite: JSONObject?, over way: Way = .socket) async throws -> ErrorCode? {
        try await room.stranger.ask(room.stranger.join("#room", invite), over: way)
    }

    @Test("a private channel lets in whoever has an invite, and nobody else", arguments: Way.allCases)
    func serves(_ way: Way) async throws {
        try await Self.room { node, room in
            let without = try await Self.code(room, nil, over: way)
            #expect(without == .channelNotFound)
            #expect(try await Self.code(room, room[.member].invite(to: "#room"), over: way) == nil)
            #expect(try await node.role(of: room.stranger, in: "#room", seenBy: room[.owner]) == "member")
        }
    }

    @Test("one that was forged, altered, or is for another channel tells nothing of the channel")
    func forged() async throws {
        try await Self.room { node, room in
            let genuine = room[.member].invite(to: "#room")
            let forged = [
                room[.member].invite(to: "#room", key: room.stranger.person.deviceKey),
                genuine.setting("uses", 9), room.stranger.invite(to: "#room"),
                room[.member].invite(to: "#other"), genuine.setting("inviter", .string(room[.owner].person.id.text)),
            ]
            for (number, invite) in forged.enumerated() {
                // Of somebody who is no member the signature is good, so that the answer may say more.
                let expected: ErrorCode = number == 2 ? .insufficientPermissions : .channelNotFound
                #expect(try await Self.code(room, invite) == expected, "\(number)")
            }
            let last = try await Self.code(room, genuine)
            #expect(last == nil)
        }
    }

    @Test("it serves until its time and not after, and lasts at most a year")
    func expires() async throws {
        try await Self.room { node, room in
            let invite = room[.member].invite(to: "#room", expires: 60_000)
            #expect(
                try await Self.code(room, room[.member].invite(to: "#room", expires: Invite.lifetimeMax + 1))
                    == .insufficientPermissions)
            node.time.advance(milliseconds: 60_000)
            #expect(try await Self.code(room, invite) == .insufficientPermissions)
            node.time.setWall(back: 1)
            let inTime = try await Self.code(room, invite)
            #expect(inTime == nil)
        }
    }

    @Test("it serves as many users as it says, whatever devices they bring and however often they ask")
    func uses() async throws {
        try await Self.room { node, room in
            let invite = room[.member].invite(to: "#room", uses: 2)
            let askers = [room.stranger, try await node.asker("second"), try await node.asker("third")]
            for _ in 0..<2 {
                for asker in askers.prefix(2) {
                    #expect(try await asker.ask(asker.join("#room", invite), over: .batch) == nil)
                }
            }
            #expect(try await askers[2].ask(askers[2].join("#room", invite), over: .batch) == .insufficientPermissions)
            // The same id with more uses is signed anew, but counted on.
            let more = room[.member].invite(to: "#room", uses: 3)
            #expect(try await askers[2].ask(askers[2].join("#room", more), over: .batch) == nil)
        }
    }

    @Test("an invite of somebody who was muted, removed or banned meanwhile serves no more")
    func inviterGone() async throws {
        for change in ["set_role", "remove_member", "ban_user", "leave_channel"] {
            try await Self.room { node, room in
                let (owner, inviter) = (room[.owner], room[.member])
                let invite = inviter.invite(to: "#room")
                let data = owner.about(inviter, change == "set_role" ? ["role": "restricted"] : [:])
                let command =
                    change == "leave_channel" ? inviter.order(change, "#room") : owner.order(change, "#room", data)
                try await (change == "leave_channel" ? inviter : owner).must(command)
                #expect(try await Self.code(room, invite) == .insufficientPermissions, "\(change)")
            }
        }
    }

    @Test("its maker or a moderator revokes it; a plain member not those of others")
    func revoked() async throws {
        try await Self.room { node, room in
            let id = JSONValue.string(Base32.encode([UInt8](repeating: 1, count: 16)))
            let invite = room[.moderator].invite(to: "#room")
            let foreign = room[.member].order("revoke_invite", "#room", ["id": id])
            #expect(try await room[.member].ask(foreign, over: .batch) == nil)
            #expect(try await Self.code(room, invite) == nil)
            try await room[.owner].must(room[.owner].order("remove_member", "#room", room[.owner].about(room.stranger)))
            // What the member has revoked is its own of that id.
            #expect(try await Self.code(room, room[.member].invite(to: "#room")) == .insufficientPermissions)
            try await room[.admin].must(room[.admin].order("revoke_invite", "#room", ["id": id]))
            #expect(try await Self.code(room, invite) == .insufficientPermissions)
            let restricted = room[.restricted].order("revoke_invite", "#room", ["id": id])
            #expect(try await room[.restricted].ask(restricted, over: .socket) == .insufficientPermissions)
            let bad = room[.admin].order("revoke_invite", "#room", ["id": "abc"])
            #expect(try await room[.admin].ask(bad, over: .socket) == .invalidMessageFormat)
        }
    }

    @Test("a ban counts for more than an invite")
    func banned() async throws {
        try await Self.room { node, room in
            let owner = room[.owner]
            try await owner.must(owner.order("ban_user", "#room", owner.about(room.stranger)))
            #expect(try await Self.code(room, nil) == .channelNotFound)
            #expect(try await Self.code(room, owner.invite(to: "#room")) == .insufficientPermissions)
        }
    }

    @Test("a member revokes 64 invites, a channel keeps 1,024 revocations")
    func limits() async throws {
        try await Self.room { node, room in
            func revoke(_ number: Int, _ actor: Asker) async throws -> ErrorCode? {
                let id = Base32.encode([UInt8(number / 256), UInt8(number % 256)] + [UInt8](repeating: 9, count: 14))
                return try await actor.ask(actor.order("revoke_invite", "#room", ["id": .string(id)]), over: .socket)
            }
            for number in 0..<64 { #expect(try await revoke(number, room[.member]) == nil) }
            #expect(try await revoke(64, room[.member]) == .insufficientPermissions)
            try await node.node.core.write { transaction in
                for number in 0..<(1_024 - 65) {
                    try transaction.run(
                        "INSERT INTO node_invite_revoked (channel, invite, revoker) SELECT channel, ?, '*' FROM node_channel",
                        ["x\(number)"])
                }
            }
            #expect(try await revoke(500, room[.admin]) == nil)
            #expect(try await revoke(501, room[.admin]) == .insufficientPermissions)
        }
    }
}
