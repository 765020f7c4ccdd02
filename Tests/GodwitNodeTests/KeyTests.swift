import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// publish_keys and lookups within one node (docs/protocol.md §6, §9.3).
@Suite("Keys of devices")
struct KeyTests {
    @Test("published keys answer a lookup, each one-time pre-key once (FED-05)")
    func lookup() async throws {
        try await TestNode.with { node in
            let (bob, _) = try await node.enrol("bob")
            let (_, alice) = try await node.enrol("alice")
            for _ in 0..<6 { try await alice.command("lookup_user", ["user_id": .string(bob.id.text)]) }
            try await eventually("six answers") { alice.outbox.objects("user_lookup_result").count == 6 }
            let results = alice.outbox.objects("user_lookup_result")
            #expect(
                results.allSatisfy {
                    $0["found"]?.bool == true && $0["public_key"]?.string == bob.identityKey.publicKey.text
                })
            #expect(results.allSatisfy { $0["device_list"]?.object == bob.deviceList() })
            let bundles = results.map { $0["bundles"]?.array?.first?.object }
            #expect(bundles.allSatisfy { $0?["signed_pre_key"]?.object == bob.signedPreKey() })
            let ids = bundles.map { $0?["one_time_pre_key"]?.object?["id"]?.integer }
            #expect(ids == [1, 2, 3, 4, 5, nil])
        }
    }

    @Test(
        "an unknown user, one without keys and one of an unknown node are told apart only where that gives nothing away"
    )
    func unknown() async throws {
        try await TestNode.with { node in
            let (_, alice) = try await node.enrol("alice")
            let keyless = try Person("carol", at: node.id)
            try await TestClient(node).register(keyless, at: node)
            for name in ["nobody", "carol"] {
                try await alice.command("lookup_user", ["user_id": .string("\(node.id.text).\(name)")])
            }
            try await eventually("two answers") { alice.outbox.objects("user_lookup_result").count == 2 }
            let found = alice.outbox.objects("user_lookup_result").map { $0["found"]?.bool }
            #expect(found == [false, false])
            #expect(alice.outbox.objects("user_lookup_result").allSatisfy { $0["public_key"] == nil })
            let error = try await refusal {
                try await alice.command("lookup_user", ["user_id": "elsewher.bob"])
            }
            #expect(error.code == .nodeUnreachable && error.hint != nil)
        }
    }

    @Test("a node keeps 200 one-time pre-keys of a device, the oldest; what is over gets 3002")
    func oneTimeLimit() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            try await client.register(person, at: node)
            let taken = try await client.command("publish_keys", person.keys(oneTime: 1..<201))
            #expect(taken["one_time_pre_keys"]?.integer == 200)
            // The same again is no more than there was.
            let again = try await client.command("publish_keys", person.keys(oneTime: 1..<201))
            #expect(again["one_time_pre_keys"]?.integer == 200)
            let rotated = person.keys(oneTime: 201..<202).setting("signed_pre_key", .object(person.signedPreKey(2)))
            let error = try await refusal { try await client.command("publish_keys", rotated) }
            #expect(error.code == .rateLimited && error.hint != nil)
            #expect(error.details["limit"]?.string == "one_time_pre_keys" && error.details["value"]?.integer == 200)
            #expect(try await Self.ids(node) == Array(1...200))
            // Three were given out: three of ten have room; the signed pre-key was taken all the same.
            for _ in 0..<3 { try await client.command("lookup_user", ["user_id": .string(person.id.text)]) }
            try await eventually("three answers") { client.outbox.objects("user_lookup_result").count == 3 }
            let answer = try #require(client.outbox.objects("user_lookup_result").first)
            #expect(
                answer["bundles"]?.array?.first?.object?["signed_pre_key"]?.object?["id"]?.integer == 2)
            let some = try await client.command("publish_keys", person.keys(oneTime: 301..<311))
            #expect(some["one_time_pre_keys"]?.integer == 3)
            #expect(try await Self.ids(node) == Array(4...200) + [301, 302, 303])
        }
    }

    @Test("in a batch the one-time pre-keys that find no room are refused with 3002, the rest is taken")
    func oneTimeLimitInBatch() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            try await client.register(person, at: node)
            try await client.command("publish_keys", person.keys(oneTime: 1..<200))
            let command = person.command(
                "publish_keys", person.keys(oneTime: 400..<402).omitting(["device_list"]))
            try await client.command("submit", ["object": .object(command)])
            try await eventually("the refusal") { !client.outbox.objects("refusal").isEmpty }
            let report = try #require(client.outbox.objects("refusal").first)
            #expect(ProtocolError(object: report)?.code == .rateLimited)
            #expect(report["item"]?.string == Base64.encode(SHA256Digest.of(command.canonicalBytes())))
            #expect(try await Self.ids(node) == Array(1...199) + [400])
        }
    }

    private static func ids(_ node: TestNode) async throws -> [Int64] {
        try await node.node.core.read { try $0.rows("SELECT id FROM node_one_time_key ORDER BY id").map { $0["id"] } }
    }

    @Test(
        "keys with a bad signature, of another user or of an unlisted device are refused and nothing is kept (AUTH-14)")
    func refused() async throws {
        try await TestNode.with { node in
            let (alice, mallory) = (try Person("alice", at: node.id), try Person("mallory", at: node.id))
            let client = await TestClient(node)
            try await client.register(alice, at: node)
            let good = alice.keys()
            let otherLine = String(alice.deviceList()["signature"]?.string?.dropLast(6) ?? "") + "AAAA=="
            let cases: [(JSONObject, ErrorCode)] = [
                (
                    good.setting("device_list", .object(alice.deviceList().setting("signature", .string(otherLine)))),
                    .invalidCredentials
                ),
                (good.setting("device_list", .object(mallory.deviceList())), .insufficientPermissions),
                (good.setting("device_list", .object(Self.forged(alice, by: mallory))), .invalidCredentials),
                (good.setting("signed_pre_key", .object(mallory.signedPreKey())), .insufficientPermissions),
                (good.setting("signed_pre_key", .object(alice.signedPreKey().setting("id", 2))), .invalidCredentials),
                (good.omitting(["one_time_pre_keys"]), .invalidMessageFormat),
                (
                    good.setting("device_list", .object(alice.deviceList().setting("devices", []))),
                    .invalidMessageFormat
                ),
            ]
            for (keys, code) in cases {
                #expect(try await refusal { try await client.command("publish_keys", keys) }.code == code)
                #expect(try await node.count("node_device") == 0)
            }
            try await client.command("publish_keys", good)
            #expect(try await node.count("node_device") == 1)
        }
    }

    /// alice's list, signed by somebody else.
    private static func forged(_ person: Person, by other: Person) -> JSONObject {
        other.identityKey.signed(person.deviceList(), purpose: .deviceList)
    }

    @Test("a list of a higher version replaces the one before, and a device missing from it is revoked")
    func newerList() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            let second = try Person("alice", at: node.id)
            let both = alice.deviceList(version: 2, with: [second])
            try await client.command("publish_keys", alice.keys().setting("device_list", .object(both)))
            #expect(try await node.count("node_device") == 2)
            // An older one changes nothing.
            try await client.command("publish_keys", alice.keys())
            #expect(try await node.count("node_device") == 2)
            try await client.command(
                "publish_keys", alice.keys().setting("device_list", .object(alice.deviceList(version: 3))))
            #expect(try await node.count("node_device") == 1)
            #expect(try await node.node.core.read { try $0.signingKey(of: alice.id, second.device) } == nil)
        }
    }

    @Test("a device cannot make other users known, nor answer lookups for them")
    func poisoning() async throws {
        try await TestNode.with { node in
            let (_, client) = try await node.enrol("mallory")
            let victim = try Person("bob", at: try NodeID("elsewher"))
            let introduction: JSONObject = [
                "type": "introduction", "user_id": .string(victim.id.text),
                "public_key": .string(victim.identityKey.publicKey.text),
                "device_list": .object(victim.deviceList()),
            ]
            let answer: JSONObject = [
                "type": "user_lookup_result", "user_id": .string(victim.id.text),
                "requester": .string("\(node.id.text).mallory/abcdefgh"), "as_of": .string(node.time.now().description),
                "found": true, "public_key": .string(victim.identityKey.publicKey.text),
                "device_list": .object(victim.deviceList()), "signed_pre_key": .object(victim.signedPreKey()),
                "one_time_pre_key": nil,
            ]
            for object in [introduction, answer] {
                let error = try await refusal { try await client.command("submit", ["object": .object(object)]) }
                #expect(error.code == .insufficientPermissions)
            }
            #expect(try await node.node.core.read { try $0.user(victim.id) == nil })
        }
    }
}
