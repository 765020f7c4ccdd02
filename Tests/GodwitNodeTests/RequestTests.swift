import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// What single requests ask for: keys, and what waits (gap G-41).
@Suite("Requests")
struct RequestTests {
    private func session(_ node: TestNode, _ person: Person) async throws -> GodwitNode.Session {
        try await node.node.session(for: TestClient(node).prove(person, at: node).token)
    }

    @Test("a proof over requests says for whom it is; without a socket it opens the same session (AUTH-05)")
    func login() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            try await TestClient(node).register(person, at: node)
            let asked = try await node.node.login(
                "auth_challenge_request", ["user_id": .string(person.id.text)], from: nil)
            let challenge = try AuthChallenge(asked.setting("type", "auth_challenge"))
            let proof = TestClient.proof(person, challenge, node: node.id).omitting(["type"])
                .setting("user_id", .string(person.id.text))
            let opened = try await node.node.login("auth_proof", proof, from: nil)
            let token = try #require(opened["session_token"]?.string)
            #expect(try await node.node.session(for: token).user == person.id)
            #expect(
                try await refusal { try await node.node.login("auth_proof", proof, from: nil) }.code
                    == .invalidCredentials)
        }
    }

    @Test("keys can be looked at without using them up; each claimed one-time pre-key is given once (G-41)")
    func keys() async throws {
        try await TestNode.with { node in
            let (alice, _) = try await node.enrol("alice")
            let bob = try await session(node, node.enrol("bob").person)
            let data: JSONObject = ["user_id": .string(alice.id.text)]
            func bundle(_ command: String) async throws -> JSONObject? {
                let answer = try await node.node.carryOut(command, data, in: bob)
                #expect(answer["public_key"]?.string == alice.identityKey.publicKey.text)
                #expect(answer["device_list"]?.object == alice.deviceList())
                return answer["bundles"]?.array?.first?.object
            }
            let look = try #require(try await bundle("get_keys"))
            #expect(try await bundle("get_keys") == look)
            #expect(look["device"]?.string == alice.device.text && look["one_time_pre_key"]?.isNull == true)
            #expect(look["signed_pre_key"]?.object == alice.signedPreKey())
            var given: Set<Int64> = []
            for _ in 1..<6 {
                let key = try #require(try await bundle("claim_keys")?["one_time_pre_key"]?.object)
                given.insert(try #require(key["id"]?.integer))
            }
            #expect(given == [1, 2, 3, 4, 5])
            #expect(try await bundle("claim_keys")?["one_time_pre_key"]?.isNull == true)
            let ghost: JSONObject = ["user_id": .string("\(node.id.text).nobody")]
            #expect(
                try await refusal { try await node.node.carryOut("claim_keys", ghost, in: bob) }.code == .userNotFound)
        }
    }

    @Test("one sees how many one-time pre-keys each device has left, and refills them (G-41)")
    func refill() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            let own = try await session(node, alice)
            func left() async throws -> Int64? {
                try await node.node.carryOut("list_devices", [:], in: own)["devices"]?.array?.first?
                    .object?["one_time_pre_keys"]?.integer
            }
            #expect(try await left() == 5)
            _ = try await node.node.carryOut("claim_keys", ["user_id": .string(alice.id.text)], in: own)
            #expect(try await left() == 4)
            try await client.command("publish_keys", alice.keys(oneTime: 6..<10))
            #expect(try await left() == 8)
        }
    }

    @Test("what waits is shown in order of arrival, again until it is acknowledged, and then not any more")
    func waiting() async throws {
        try await TestNode.with { node in
            let (alice, sender) = try await node.enrol("alice")
            let (bob, socket) = try await node.enrol("bob")
            await socket.session.closed()
            let sent = (0..<3).map { _ in alice.message(to: "@" + bob.id.text) }
            for message in sent { _ = try await sender.send(message) }
            let own = try await session(node, bob)
            func waiting(_ data: JSONObject = [:]) async throws -> (items: [JSONObject], hasMore: Bool?) {
                let answer = try await node.node.carryOut("waiting", data, in: own)
                return ((answer["items"]?.array ?? []).compactMap(\.object), answer["has_more"]?.bool)
            }
            let all = try await waiting()
            #expect(all.items.compactMap { $0["message"]?.object?["id"] } == sent.map { $0["id"] })
            #expect(all.hasMore == false)
            let part = try await waiting(["limit": 2])
            #expect(part.items == Array(all.items.prefix(2)) && part.hasMore == true)
            let last = try #require(part.items.last?["arrival"])
            let rest = try await waiting(["after": last])
            #expect(rest.items == Array(all.items.dropFirst(2)))
            #expect(try await waiting().items == all.items)
            _ = try await node.node.carryOut("received", ["upto": last], in: own)
            #expect(try await waiting().items == rest.items)
            // Nobody else's queue is touched by it.
            let hers = try await session(node, alice)
            _ = try await node.node.carryOut("received", ["upto": .integer(JSONValue.integerMax)], in: hers)
            #expect(try await waiting().items == rest.items)
        }
    }
}
