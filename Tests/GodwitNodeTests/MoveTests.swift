import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

@Suite("Channels that move (D-18)")
struct MoveTests {
    typealias Enrolled = FederationTests.Enrolled

    private func move(_ id: ChannelID, by person: Person, to node: NodeID) -> JSONObject {
        person.deviceKey.signed(
            ChannelMove.unsigned(id, to: node, by: person.id, person.device, at: TestTime.start), purpose: .moved)
    }

    /// bob's private channel on `other`, which he has given to alice of `one`; carol of `other` is a moderator.
    private func owned(
        _ body: (TestNode, TestNode, ChannelID, Enrolled, Enrolled, Enrolled) async throws -> Void
    ) async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let carol = try await other.enrol("carol")
            let id = ChannelID(name: try ChannelName("#general"), node: other.id)
            let names = [alice.person.id, carol.person.id].map { JSONValue.string($0.text) }
            let create = bob.person.command(
                "create_channel",
                [
                    "channel": "#general", "channel_node": .string(other.id.text), "visibility": "private",
                    "members": .array(names), "pre_key": .object(bob.person.signedPreKey()),
                ])
            try await bob.client.command("create_channel", ["command": .object(create)])
            try await carol.client.channel("join_channel", "#general", by: carol.person, at: other.id)
            try await alice.client.channel("join_channel", "#general", by: alice.person, at: other.id)
            try await one.settle(with: other)
            for (name, data) in [
                ("set_role", ["user_id": .string(carol.person.id.text), "role": "moderator"]),
                ("transfer_channel", ["user_id": .string(alice.person.id.text)]),
            ] as [(String, JSONObject)] {
                let command = bob.person.command(
                    name, data.setting("channel", "#general").setting("channel_node", .string(other.id.text)))
                try await bob.client.command(name, ["command": .object(command)])
            }
            try await one.settle(with: other)
            try await body(one, other, id, alice, bob, carol)
        }
    }

    @Test("the owner's home node tells all members; they are let into the private channel there, with their roles")
    func follow() async throws {
        try await owned { one, other, id, alice, _, carol in
            try await alice.client.command(
                "submit", ["object": .object(move(id, by: alice.person, to: one.id))])
            let create = alice.person.command(
                "create_channel",
                [
                    "channel": "#general", "channel_node": .string(one.id.text), "visibility": "private",
                    "pre_key": .object(alice.person.signedPreKey()),
                ])
            try await alice.client.command("create_channel", ["command": .object(create)])
            try await one.settle(with: other)
            try await eventually("the move") { carol.client.outbox.objects("moved").count == 1 }
            try await carol.client.channel("join_channel", "#general", by: carol.person, at: one.id)
            try await one.settle(with: other)
            try await eventually("carol's list") {
                carol.client.outbox.objects("members").contains { $0["channel_node"]?.string == one.id.text }
            }
            let list = try #require(
                carol.client.outbox.objects("members").last { $0["channel_node"]?.string == one.id.text })
            #expect(list["roles"]?.object?[carol.person.id.text] == "moderator")
            #expect(list["roles"]?.object?[alice.person.id.text] == "owner")
            // Nobody else comes in.
            let eve = try await one.enrol("eve")
            let error = try await refusal {
                try await eve.client.channel("join_channel", "#general", by: eve.person, at: one.id)
            }
            #expect(error.code == .channelNotFound)
        }
    }

    @Test("nobody but the owner moves a channel")
    func strangers() async throws {
        try await owned { one, other, id, alice, bob, carol in
            let there = ChannelID(name: id.name, node: one.id)
            #expect(throws: ProtocolError.self) { try ChannelMove(move(id, by: bob.person, to: one.id)) }
            let error = try await refusal {
                try await bob.client.command(
                    "submit", ["object": .object(move(there, by: bob.person, to: other.id))])
            }
            #expect(error.code == .channelNotFound)
            // Signed by another device than it names.
            let forged = carol.person.deviceKey.signed(
                ChannelMove.unsigned(id, to: one.id, by: alice.person.id, alice.person.device, at: TestTime.start),
                purpose: .moved)
            let refused = try await refusal {
                try await alice.client.command("submit", ["object": .object(forged)])
            }
            #expect(refused.code == .invalidCredentials)
            #expect(try await one.count("node_moved") == 0)
        }
    }
}
