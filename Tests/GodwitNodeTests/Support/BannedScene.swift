import GRDB
import GodwitCrypto
import GodwitProtocol

@testable import GodwitNode

/// A room whose last member, `target`, writes in an epoch that the node knows, and is banned before what it wrote comes.
struct BannedScene {
    let room: Room
    let channel: String
    /// Name of the epoch, as messages have it.
    let epoch: JSONValue
    var node: TestNode { room.node }
    var target: Asker { room.target }

    init(_ node: TestNode, visibility: String = "public") async throws {
        let room = try await Room(node, visibility: visibility)
        self.room = room
        channel = "#room"
        epoch = try await Self.startEpoch(
            among: Role.allCases.map { room[$0] } + [room.target], seenBy: room[.owner])
    }

    /// The sponsor of the last change that has one starts its epoch.
    /// - Returns: its name.
    static func startEpoch(among people: [Asker], seenBy reader: Asker) async throws -> JSONValue {
        let version = try await reader.node.node.core.read { transaction in
            try transaction.row("SELECT max(version) AS n FROM node_channel")?["n"] as Int64? ?? 0
        }
        try await eventually("the last change") {
            reader.client.outbox.objects("membership").contains { $0["version"]?.integer == version }
        }
        let changes = try reader.client.outbox.objects("membership").map { try Membership($0) }
        guard let change = changes.last(where: { $0.sponsor != nil }),
            let sponsor = people.first(where: { $0.person.party == change.sponsor })
        else { throw NeverHappened(what: "a sponsor") }
        let epoch = sponsor.person.epoch(for: change, wrapping: [])
        try await sponsor.client.command("submit", ["object": .object(epoch)])
        return .string(Base64.encode(try EpochStart(epoch).name))
    }

    func text(by author: Asker? = nil, with more: [String: JSONValue] = [:]) -> JSONObject {
        (author ?? target).person.message(
            to: channel, at: node.id, time: TestTime.start, changing: more.merging(["epoch": epoch]) { $1 })
    }

    func ban(_ other: Asker? = nil) async throws {
        let owner = room[.owner]
        try await owner.must(owner.order("ban_user", channel, owner.about(other ?? target)))
    }

    /// Bans the target, and lets texts of it arrive in a batch.
    func holding(_ count: Int) async throws -> [JSONObject] {
        let texts = (0..<count).map { _ in text() }
        try await ban()
        for text in texts where try await target.send(text, over: .batch) != nil {
            throw NeverHappened(what: "a held message")
        }
        return texts
    }

    func decide(_ name: String, _ texts: [JSONObject], by actor: Asker) throws -> JSONObject {
        actor.order(name, channel, ["items": Self.items(try texts.map { try Message($0).hash })])
    }

    static func items(_ hashes: [MessageHash]) -> JSONValue { .string(Base64.encode(hashes.flatMap(\.bytes))) }

    /// Hashes of what waits, as an actor sees it.
    func listed(by actor: Asker, _ more: JSONObject = [:]) async throws -> [String] {
        let page = try await actor.client.command("list_held", more.setting("channel", .string(channel)))
        return page["messages"]?.array?.compactMap { $0.object?["hash"]?.string } ?? []
    }

    /// The reason of the refusal of a text, as its author reads it.
    func refusal(of text: JSONObject) async throws -> ProtocolError? {
        let item = try Message(text).hash.base64
        return try await node.queue(for: target.person.party).first {
            $0["type"]?.string == "refusal" && $0["item"]?.string == item
        }.flatMap { ProtocolError(object: $0) }
    }
}
