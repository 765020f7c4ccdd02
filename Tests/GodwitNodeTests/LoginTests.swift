import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Registration, login and sessions (AUTH-01 to AUTH-10, AUTH-17, AUTH-18, WS-03; issue 2: wrong key, replayed challenge,
/// expired token).
@Suite("Login")
struct LoginTests {
    @Test("whoever registers gets a session and can log in again by challenge (AUTH-01, 02, 04, 05, 07, 08)")
    func registers() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            #expect(await client.session.isAuthenticated() == false)
            let success = try await client.register(person, at: node)
            #expect(await client.session.isAuthenticated())
            #expect(success.nodeInfo["id"]?.string == node.id.text && success.nodeInfo["name"]?.string == "node")
            #expect(success.nodeInfo["version"]?.string != nil && success.nodeInfo["features"]?.array?.isEmpty == false)
            // AUTH-10: never more than 8 hours; whole seconds make it a little less.
            let life = success.expires.milliseconds - node.time.now().milliseconds
            #expect(life <= 28_800_000 && life > 28_799_000)
            let second = await TestClient(node)
            try await second.prove(person, at: node)
            #expect(await second.session.isAuthenticated() && second.outbox.closed == nil)
        }
    }

    @Test("a challenge holds 32 random bytes and five minutes, whoever asks (AUTH-04)")
    func challenge() async throws {
        try await TestNode.with { node in
            let client = await TestClient(node)
            let user = try Person("alice", at: node.id).id
            let (one, other) = (try await client.challenge(for: user), try await client.challenge(for: user))
            #expect(one.challenge.count == 32 && one.challenge != other.challenge)
            #expect(one.expires.milliseconds - one.timestamp.milliseconds == 300_000)
            #expect(one.timestamp == node.time.now())
        }
    }

    @Test("before login every command is refused with 1000 and the socket stays (WS-09)")
    func beforeLogin() async throws {
        try await TestNode.with { node in
            let client = await TestClient(node)
            let error = try await refusal { try await client.command("update_status", ["status": "away"]) }
            #expect(error.code == .invalidCredentials && client.outbox.closed == nil)
        }
    }

    @Test("a closed node registers nobody, and one with invites only whoever has one")
    func policies() async throws {
        try await TestNode.with(registration: .closed) { node in
            let client = await TestClient(node)
            let person = try Person("alice", at: node.id)
            #expect(try await refusal { try await client.register(person, at: node) }.code == .insufficientPermissions)
            #expect(client.outbox.closed == 4401)
            #expect(try await node.count("node_user") == 0)
        }
        try await TestNode.with(registration: .invite(["spring"])) { node in
            let person = try Person("alice", at: node.id)
            for invite in [nil, "autumn"] as [String?] {
                let client = await TestClient(node)
                let error = try await refusal { try await client.register(person, at: node, invite: invite) }
                #expect(error.code == .insufficientPermissions)
            }
            try await TestClient(node).register(person, at: node, invite: "spring")
            #expect(try await node.count("node_user") == 1)
        }
    }

    @Test("an invite is under the registration's signature")
    func inviteIsSigned() async throws {
        try await TestNode.with(registration: .invite(["spring"])) { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            let challenge = try await client.challenge(for: person.id)
            let frame = TestClient.registration(person, challenge, node: node.id).setting("invite", "spring")
            #expect(try await refusal { try await client.login(frame) }.code == .invalidCredentials)
        }
    }

    @Test("a registration signed by another key, or for another node, registers nobody")
    func wrongRegistration() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let stranger = try SigningKey.generate()
            for (key, id) in [(stranger, node.id), (person.identityKey, try NodeID("elsewher"))] {
                let client = await TestClient(node)
                let challenge = try await client.challenge(for: person.id)
                let frame = TestClient.registration(person, challenge, node: id, key: key)
                #expect(try await refusal { try await client.login(frame) }.code == .invalidCredentials)
                #expect(client.outbox.closed == 4401)
            }
            #expect(try await node.count("node_user") == 0)
        }
    }

    @Test("an identity file that was altered after it was signed is refused")
    func alteredIdentity() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            let challenge = try await client.challenge(for: person.id)
            var file = person.identityFile()
            let identity = (file["identity"]?.object ?? [:]).setting("display_name", "Somebody else")
            file["identity"] = .object(identity)
            let signed = challenge.registrationObject(identity: identity, invite: nil, node: node.id)
            let frame = TestClient.registration(person, challenge, node: node.id)
                .setting("identity_file", .object(file))
                .setting("signature", .string(person.identityKey.sign(object: signed, purpose: .register).text))
            #expect(try await refusal { try await client.login(frame) }.code == .invalidCredentials)
        }
    }

    @Test("an identity of another node is refused with 1002 and a hint that names this one")
    func otherNode() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: try NodeID("elsewher"))
            let client = await TestClient(node)
            let error = try await refusal { try await client.register(person, at: node) }
            #expect(error.code == .insufficientPermissions && error.hint?.contains(node.id.text) == true)
        }
    }

    @Test("a username belongs to the key that registered it first; the same key may register again")
    func taken() async throws {
        try await TestNode.with { node in
            let (first, second) = (try Person("alice", at: node.id), try Person("alice", at: node.id))
            try await TestClient(node).register(first, at: node)
            let error = try await refusal { try await TestClient(node).register(second, at: node) }
            #expect(error.code == .insufficientPermissions)
            try await TestClient(node).register(first, at: node)
            #expect(try await node.count("node_user") == 1)
            try await TestClient(node).prove(first, at: node)
        }
    }

    @Test("a challenge is good once, for the user who asked (AUTH-06)")
    func replayed() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try Person("alice", at: node.id), try Person("bob", at: node.id))
            for person in [alice, bob] { try await TestClient(node).register(person, at: node) }
            let client = await TestClient(node)
            let challenge = try await client.challenge(for: alice.id)
            let frame = TestClient.proof(alice, challenge, node: node.id)
            try await client.login(frame)
            // The same frame on another socket that asked for the same user.
            let second = await TestClient(node)
            _ = try await second.challenge(for: alice.id)
            #expect(try await refusal { try await second.login(frame) }.code == .invalidCredentials)
            // A challenge of alice's, used by bob.
            let third = await TestClient(node)
            let hers = try await third.challenge(for: alice.id)
            _ = try await third.challenge(for: bob.id)
            let stolen = TestClient.proof(bob, hers, node: node.id)
            #expect(try await refusal { try await third.login(stolen) }.code == .invalidCredentials)
        }
    }

    @Test("a challenge ends after five minutes of uptime, whatever the clock on the wall does (AUTH-06, D-16)")
    func expiredChallenge() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            try await TestClient(node).register(person, at: node)
            for (milliseconds, isGood) in [(300_000, true), (300_001, false)] as [(Int64, Bool)] {
                let client = await TestClient(node)
                let challenge = try await client.challenge(for: person.id)
                node.time.advance(milliseconds: milliseconds)
                node.time.setWall(back: 3_600_000)
                let frame = TestClient.proof(person, challenge, node: node.id)
                if isGood {
                    try await client.login(frame)
                } else {
                    #expect(try await refusal { try await client.login(frame) }.code == .invalidCredentials)
                    #expect(client.outbox.closed == 4401)
                }
            }
        }
    }

    @Test("a wrong key and an unknown user get the same answer (AUTH-06)")
    func wrongKey() async throws {
        try await TestNode.with { node in
            let (alice, ghost) = (try Person("alice", at: node.id), try Person("ghost", at: node.id))
            try await TestClient(node).register(alice, at: node)
            let stranger = try SigningKey.generate()
            var answers: [JSONObject] = []
            for (person, key) in [(alice, stranger), (ghost, ghost.identityKey)] {
                let client = await TestClient(node)
                let challenge = try await client.challenge(for: person.id)
                answers.append(try await client.say(TestClient.proof(person, challenge, node: node.id, key: key)))
                #expect(client.outbox.closed == 4401)
            }
            #expect(answers[0] == answers[1])
            #expect(ProtocolError(object: answers[0])?.code == .invalidCredentials)
            // Signed by the right key, but naming another as public key.
            let client = await TestClient(node)
            let frame = TestClient.proof(alice, try await client.challenge(for: alice.id), node: node.id)
                .setting("public_key", .string(stranger.publicKey.text))
            #expect(try await refusal { try await client.login(frame) }.code == .invalidCredentials)
        }
    }

    @Test("a user of another node who was introduced here cannot log in here")
    func introducedUser() async throws {
        try await TestNode.with { node in
            let remote = try Person("bob", at: try NodeID("elsewher"))
            let list = try DeviceList(remote.deviceList())
            try await node.node.core.write {
                _ = try $0.introduce(remote.id, publicKey: remote.identityKey.publicKey.bytes, list: list)
            }
            let error = try await refusal { try await TestClient(node).prove(remote, at: node) }
            #expect(error.code == .invalidCredentials)
        }
    }

    @Test("a frame that is no auth frame, no command or no JSON is answered with 2000 and the socket lives on")
    func malformed() async throws {
        try await TestNode.with { node in
            let client = await TestClient(node)
            for text in [
                "{", "[]", "{}", "{\"type\":\"auth_magic\"}", "{\"command\":1,\"data\":{}}", "{\"a\":1,\"a\":2}",
            ] {
                let before = client.outbox.frames.count
                await client.session.received(Array(text.utf8))
                let answer = client.outbox.frames.dropFirst(before).first
                let error = answer?["data"]?.object.flatMap { ProtocolError(object: $0) }
                #expect(error?.code == .invalidMessageFormat, "\(text)")
            }
            #expect(client.outbox.closed == nil)
            try await client.register(try Person("alice", at: node.id), at: node)
        }
    }
}
