import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// The permission matrix of 004 §9.3, cell by cell and over every way (CH-11 to CH-23).
@Suite("The permission matrix")
struct MatrixTests {
    /// The rows as 004 prints them: owner, admin, moderator, member, restricted.
    static let rows: [(action: ChannelAction, allowed: String)] = [
        (.sendMessages, "yyyyn"), (.inviteUsers, "yyyyn"), (.banUsers, "yyynn"), (.changeSettings, "yynnn"),
        (.deleteChannel, "ynnnn"), (.deleteOwnMessages, "yyyyn"), (.deleteOthersMessages, "yyynn"),
    ]

    static func allows(_ role: Role, _ allowed: String) -> Bool {
        let column = Role.allCases.firstIndex(of: role) ?? 0
        return Array(allowed)[column] == "y"
    }

    /// Does what a row says in the actor's name.
    private static func attempt(
        _ action: ChannelAction, by actor: Asker, in room: Room, _ channel: String, over way: Way
    ) async throws -> ErrorCode? {
        switch action {
        case .sendMessages:
            return try await actor.send(actor.person.message(to: channel, at: room.node.id), over: way)
        case .inviteUsers:
            return try await room.stranger.ask(room.stranger.join(channel, actor.invite(to: channel)), over: way)
        case .banUsers:
            return try await actor.ask(actor.order("ban_user", channel, actor.about(room.target)), over: way)
        case .changeSettings:
            return try await actor.ask(actor.order("set_channel", channel, ["topic": "Ferry times"]), over: way)
        case .deleteChannel: return try await actor.ask(actor.order("delete_channel", channel), over: way)
        case .deleteOwnMessages, .deleteOthersMessages:
            let author = action == .deleteOwnMessages ? actor : room.target
            let message = try await Self.said(by: author, in: room, channel)
            return try await actor.ask(actor.person.deletion([message]), over: way)
        }
    }

    /// A message in the channel; who is restricted has said it while that was not so yet.
    private static func said(by author: Asker, in room: Room, _ channel: String) async throws -> JSONObject {
        let owner = room[.owner]
        let isRestricted = author === room[.restricted]
        func become(_ role: Role) async throws {
            guard isRestricted else { return }
            try await owner.must(
                owner.order("set_role", channel, owner.about(author, ["role": .string(role.rawValue)])))
        }
        try await become(.member)
        let message = author.person.message(to: channel, at: room.node.id)
        guard try await author.send(message, over: .socket) == nil else { throw NeverHappened(what: "a message") }
        try await become(.restricted)
        return message
    }

    /// Rows that change messages and nothing of the channel.
    private static let aboutMessages: Set<ChannelAction> = [.sendMessages, .deleteOwnMessages, .deleteOthersMessages]

    private static func holes(_ node: TestNode) async throws -> Int64 {
        try await node.node.core.read { transaction in
            try transaction.row("SELECT count(*) AS n FROM node_message WHERE hole = 'deleted'")?["n"] ?? 0
        }
    }

    @Test("each role may do what its column says and nothing else, on every way", arguments: Way.allCases)
    func cells(_ way: Way) async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            for (number, row) in Self.rows.enumerated() {
                for role in Role.allCases {
                    let channel = "#cell-\(number)-\(role.rawValue)"
                    try await room.enter(channel, visibility: row.action == .inviteUsers ? "private" : "public")
                    let before = (try await node.channelState(), try await Self.holes(node))
                    let code = try await Self.attempt(row.action, by: room[role], in: room, channel, over: way)
                    let after = (try await node.channelState(), try await Self.holes(node))
                    let isDeletion = row.action == .deleteOwnMessages || row.action == .deleteOthersMessages
                    if Self.allows(role, row.allowed) {
                        #expect(code == nil, "\(row.action) by \(role) over \(way)")
                        if !Self.aboutMessages.contains(row.action) {
                            #expect(before.0 != after.0, "\(row.action) by \(role) did nothing")
                        }
                        #expect(after.1 == before.1 + (isDeletion ? 1 : 0), "\(row.action) by \(role)")
                    } else {
                        #expect(code == .insufficientPermissions, "\(row.action) by \(role) over \(way)")
                        // To say something first, who is restricted was a member for a moment.
                        if !isDeletion { #expect(before.0 == after.0, "\(row.action) by \(role) changed something") }
                        #expect(before.1 == after.1, "\(row.action) by \(role) deleted something")
                    }
                }
            }
        }
    }

    @Test("who is no member may do nothing, and of a private channel learns nothing (CH-07)", arguments: Way.allCases)
    func strangers(_ way: Way) async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            try await room.enter("#closed", visibility: "private")
            let stranger = room.stranger
            for (channel, code) in [("#room", ErrorCode.insufficientPermissions), ("#closed", .channelNotFound)] {
                let commands = [
                    stranger.order("ban_user", channel, stranger.about(room.target)),
                    stranger.order("remove_member", channel, stranger.about(room.target)),
                    stranger.order("set_role", channel, stranger.about(room.target, ["role": "restricted"])),
                    stranger.order("set_channel", channel, ["topic": "mine"]),
                    stranger.order("transfer_channel", channel, stranger.about(stranger)),
                    stranger.order("delete_channel", channel),
                ]
                let before = try await node.channelState()
                for command in commands { #expect(try await stranger.ask(command, over: way) == code, "\(channel)") }
                #expect(try await node.channelState() == before)
            }
            // What is said there, too: to a stranger the channel does not exist.
            let (said, unsaid) = (
                stranger.person.message(to: "#closed", at: node.id),
                stranger.person.message(to: "#no-such", at: node.id)
            )
            #expect(try await stranger.send(said, over: way) == .channelNotFound)
            #expect(try await stranger.send(unsaid, over: way) == .channelNotFound)
            #expect(try await stranger.ask(stranger.person.deletion([said]), over: way) == .channelNotFound)
            // The same words as for a channel that does not exist.
            func refused(_ channel: String) async throws -> ProtocolError {
                try await refusal {
                    try await stranger.client.channel("join_channel", channel, by: stranger.person, at: node.id)
                }
            }
            let (closed, missing) = (try await refused("#closed"), try await refused("#no-such"))
            #expect(closed == missing && closed.code == .channelNotFound)
        }
    }

    @Test("whoever acts on another must outrank that one, for all pairs (gap G-52)", arguments: Way.allCases)
    func ranks(_ way: Way) async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            var number = 0
            for actor in Role.allCases {
                for target in Role.allCases {
                    number += 1
                    let channel = "#pair-\(number)"
                    try await room.enter(channel)
                    let someone = actor == target ? room.target : room[target]
                    if actor == target, target != .member, target != .owner {
                        let data = room[.owner].about(room.target, ["role": .string(target.rawValue)])
                        try await room[.owner].must(room[.owner].order("set_role", channel, data))
                    }
                    guard actor != .owner || target != .owner else { continue }
                    let may = actor > target && actor >= .moderator
                    for name in ["remove_member", "ban_user"] {
                        let command = room[actor].order(name, channel, room[actor].about(someone))
                        let code = try await room[actor].ask(command, over: way)
                        // A ban after the removal meets nobody in the channel, whose rank is a member's.
                        let isGone = name == "ban_user" && may
                        #expect(
                            code == (may ? nil : .insufficientPermissions), "\(name): \(actor) on \(target), \(isGone)")
                    }
                }
            }
        }
    }

    @Test("the owner makes admins, an admin moderators, a moderator only mutes; nobody makes an owner so (G-52)")
    func appointing() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            for actor in Role.allCases {
                for new in Role.allCases {
                    let data = room[actor].about(room.target, ["role": .string(new.rawValue)])
                    let code = try await room[actor].ask(room[actor].order("set_role", "#room", data), over: .socket)
                    let may =
                        switch actor {
                        case .owner: new <= .admin
                        case .admin: new <= .moderator
                        case .moderator: new <= .member
                        case .member, .restricted: false
                        }
                    #expect((code == nil) == may, "\(actor) makes \(new)")
                    #expect(may || code == .insufficientPermissions)
                    let role = try await node.role(of: room.target, in: "#room", seenBy: room[.owner])
                    #expect(role == (may ? new.rawValue : "member"))
                    if may, new != .member {
                        let back = room[.owner].about(room.target, ["role": "member"])
                        try await room[.owner].must(room[.owner].order("set_role", "#room", back))
                    }
                }
            }
        }
    }

    @Test("an owner leaves only after a transfer; then there is one owner again, and the former one is an admin")
    func transfer() async throws {
        try await TestNode.with { node in
            let room = try await Room(node)
            let owner = room[.owner]
            #expect(
                try await owner.ask(owner.order("leave_channel", "#room"), over: .batch) == .insufficientPermissions)
            #expect(
                try await owner.ask(owner.order("transfer_channel", "#room", owner.about(room.stranger)), over: .socket)
                    == .userNotFound)
            for other in [Role.admin, .member] {
                let command = room[other].order("transfer_channel", "#room", room[other].about(room[other]))
                #expect(try await room[other].ask(command, over: .socket) == .insufficientPermissions)
            }
            try await owner.must(owner.order("transfer_channel", "#room", owner.about(room[.member])))
            #expect(try await node.role(of: room[.member], in: "#room", seenBy: owner) == "owner")
            #expect(try await node.role(of: owner, in: "#room", seenBy: owner) == "admin")
            try await owner.must(owner.order("leave_channel", "#room"))
            #expect(try await node.role(of: owner, in: "#room", seenBy: room[.admin]) == nil)
        }
    }
}
