import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// A device that leaves its user's list has nothing here any more, at once (docs/protocol.md §6.2).
@Suite("Revoked devices")
struct RevocationTests {
    /// A frame of a device of this node.
    private static func frame(
        _ person: Person, to node: TestNode, number: UInt64, _ items: [JSONObject] = []
    ) throws -> [UInt8] {
        let content = Frame(
            items: items.map {
                BatchItem(kind: .object, body: $0.canonicalBytes(), created: TestTime.start, priority: .control)
            })
        return try SealedFrame(
            sealing: FrameCodec.encode(content), over: Hop(sender: person.party, receiver: .node(node.id)),
            senderKey: person.noiseKey, receiverKey: node.node.home.noiseKey.publicKey, incarnation: 7,
            number: number
        ).bytes
    }

    private static func deliver(_ record: [UInt8], to node: TestNode) async throws {
        try await node.node.exchange.openExchange().receive(record)
    }

    @Test(
        "what reaches both devices of a user ends, with socket, session, keys, frames and queue, for the one that is taken off the list (AUTH-15, AUTH-16)"
    )
    func revoked() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            let (bob, b) = try await node.enrol("bob")
            let second = try Person("alice", at: node.id)
            let both = alice.deviceList(version: 2, with: [second])
            try await client.command("publish_keys", alice.keys().setting("device_list", .object(both)))
            let phone = await TestClient(node)
            let success = try await phone.login(
                TestClient.proof(
                    second, try await phone.challenge(for: second.id), node: node.id, key: alice.identityKey))
            let message = bob.message(to: "@" + alice.id.text)
            _ = try await b.send(message)
            try await eventually("the message on both") {
                phone.outbox.has([message]) && client.outbox.has([message])
            }
            // It also comes by batch: its keys are known by now, and a frame is on its way to it.
            try await Self.deliver(try Self.frame(second, to: node, number: 0), to: node)
            let key = PeerKey(party: second.party, noiseKey: second.noiseKey.publicKey)
            let (outlet, limits) = await node.node.links.outlet(for: second.party)
            #expect(try await outlet.next(to: key, limits) != nil)
            _ = try await b.send(bob.message(to: "@" + alice.id.text))

            let introduction: JSONObject = [
                "type": "introduction", "user_id": .string(alice.id.text),
                "public_key": .string(alice.identityKey.publicKey.text),
                "device_list": .object(alice.deviceList(version: 3)),
            ]
            try await Self.deliver(try Self.frame(alice, to: node, number: 1, [introduction]), to: node)
            #expect(phone.outbox.closed == 4401)
            #expect(
                try await refusal { try await Self.deliver(try Self.frame(second, to: node, number: 0), to: node) }
                    .code == .invalidCredentials)
            let again = await TestClient(node)
            let login: JSONObject = ["type": "auth_token", "session_token": .string(success.token)]
            #expect(try await refusal { try await again.login(login) }.code == .sessionExpired)
            #expect(try await node.queue(for: second.party).isEmpty)
            let held = try await node.node.core.spool.read { try $0.unacknowledged(to: second.party).count }
            #expect(held == 0)
            #expect(await phone.session.isAuthenticated() == false)
            // The other device is as it was, and nobody was told of a loss, for it has the messages.
            #expect(client.outbox.closed == nil)
            try await eventually("both messages") { client.outbox.messages.count == 2 }
            #expect(b.outbox.objects("refusal").isEmpty)
        }
    }

    @Test("nothing of a channel is kept for a member device that was revoked")
    func channel() async throws {
        try await TestNode.with { node in
            let people = try await ChannelTests.channel(of: ["alice", "bob"], on: node)
            let (alice, client) = people[0]
            let second = try Person("alice", at: node.id)
            let list = alice.deviceList(version: 2, with: [second])
            try await client.command("publish_keys", alice.keys().setting("device_list", .object(list)))
            let phone = await TestClient(node)
            try await phone.login(
                TestClient.proof(
                    second, try await phone.challenge(for: second.id), node: node.id, key: alice.identityKey))
            try await phone.channel("join_channel", "#general", by: second, at: node.id)
            let alone = alice.keys().setting("device_list", .object(alice.deviceList(version: 3)))
            try await client.command("publish_keys", alone)
            _ = try await people[1].client.send(people[1].person.message(to: "#general", at: node.id))
            let carol = try await node.enrol("carol")
            try await carol.client.channel("join_channel", "#general", by: carol.person, at: node.id)
            #expect(try await node.queue(for: second.party).isEmpty)
            try await eventually("the message") { client.outbox.messages.count == 1 }
        }
    }

    @Test("the author of a message that only the revoked device would have had is told")
    func told() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            let (bob, b) = try await node.enrol("bob")
            await client.session.closed()
            let message = bob.message(to: "@" + alice.id.text)
            _ = try await b.send(message)
            let party = alice.party
            try await node.node.core.write { try $0.revoke(alice.device, of: alice.id) }
            try await eventually("the report") { !b.outbox.objects("refusal").isEmpty }
            #expect(b.outbox.objects("refusal")[0]["item"]?.string == (try Message(message)).hash.base64)
            #expect(ProtocolError(object: b.outbox.objects("refusal")[0])?.code == .userNotFound)
            #expect(try await node.queue(for: party).isEmpty)
        }
    }
}
