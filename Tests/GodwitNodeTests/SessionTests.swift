import FoundationEssentials
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Session tokens (AUTH-09 to AUTH-12, AUTH-17, G-31) and presence (WS-06, WS-12).
@Suite("Sessions")
struct SessionTests {
    @Test("a token opens a socket by the handshake's header or by auth_token (AUTH-17, WS-03)")
    func token() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let token = try await TestClient(node).register(person, at: node).token
            let byHeader = await TestClient(node, token: token)
            #expect(await byHeader.session.isAuthenticated())
            #expect(try AuthSuccess(try #require(byHeader.outbox.frames.first)).token == token)
            let byFrame = await TestClient(node)
            try await byFrame.login(["type": "auth_token", "session_token": .string(token)])
            #expect(await byFrame.session.isAuthenticated())
        }
    }

    @Test("the token is a JWT of EdDSA with issuer, subject, audience, times and device (AUTH-09)")
    func jwt() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let token = try await TestClient(node).register(person, at: node).token
            let parts = token.split(separator: ".").map(String.init)
            #expect(parts.count == 3)
            let (header, claims) = (try Self.json(parts[0]), try Self.json(parts[1]))
            #expect(header["alg"]?.string == "EdDSA")
            #expect(claims["iss"]?.string == node.id.text && claims["sub"]?.string == person.id.text)
            #expect(claims["device"]?.string == person.device.text)
            let (issued, expires) = (claims["iat"]?.integer ?? 0, claims["exp"]?.integer ?? 0)
            #expect(expires - issued == 28_800)
        }
    }

    private static func json(_ part: String) throws -> JSONObject {
        var text = part.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }.map(String.init).joined()
        while !text.utf8.count.isMultiple(of: 4) { text += "=" }
        return try JSONObject.parse(try #require(Base64.decode(text)))
    }

    @Test("a token expires after eight hours with 1001, to the second (AUTH-10)")
    func expired() async throws {
        try await TestNode.with { node in
            let success = try await TestClient(node).register(try Person("alice", at: node.id), at: node)
            let login: JSONObject = ["type": "auth_token", "session_token": .string(success.token)]
            node.time.advance(milliseconds: success.expires.milliseconds - node.time.now().milliseconds - 1)
            try await TestClient(node).login(login)
            node.time.advance(milliseconds: 1)
            let client = await TestClient(node)
            #expect(try await refusal { try await client.login(login) }.code == .sessionExpired)
            #expect(client.outbox.closed == 4401)
            let byHeader = await TestClient(node, token: success.token)
            #expect(await byHeader.session.isAuthenticated() == false)
            #expect(byHeader.outbox.closed == 4401)
        }
    }

    @Test("a refresh gives a new token and ends the old one (AUTH-11, AUTH-12)")
    func refresh() async throws {
        try await TestNode.with { node in
            let client = await TestClient(node)
            let old = try await client.register(try Person("alice", at: node.id), at: node)
            node.time.advance(milliseconds: 4 * 3_600_000)
            let new = try await client.login(["type": "auth_refresh", "session_token": .string(old.token)])
            #expect(new.token != old.token && new.expires > old.expires)
            let error = try await refusal {
                try await TestClient(node).login(["type": "auth_token", "session_token": .string(old.token)])
            }
            #expect(error.code == .sessionExpired)
            try await TestClient(node).login(["type": "auth_token", "session_token": .string(new.token)])
        }
    }

    @Test("a token of another node, an altered one and no token at all are refused with 1000")
    func foreign() async throws {
        try await TestNode.with { node in
            try await TestNode.with { other in
                let foreign = try await TestClient(other).register(try Person("alice", at: other.id), at: other).token
                let own = try await TestClient(node).register(try Person("alice", at: node.id), at: node).token
                let parts = own.split(separator: ".").map(String.init)
                let mixed = [parts[0], foreign.split(separator: ".").map(String.init)[1], parts[2]].joined(
                    separator: ".")
                for token in [foreign, mixed, "", "a.b.c", String(repeating: "x", count: 5000)] {
                    let error = try await refusal {
                        try await TestClient(node).login(["type": "auth_token", "session_token": .string(token)])
                    }
                    #expect(error.code == .invalidCredentials)
                }
            }
        }
    }

    @Test("an open socket cannot be turned into another user's")
    func otherUser() async throws {
        try await TestNode.with { node in
            let (_, alice) = try await node.enrol("alice")
            let bob = await TestClient(node)
            let token = try await bob.register(try Person("bob", at: node.id), at: node).token
            let error = try await refusal {
                try await alice.login(["type": "auth_token", "session_token": .string(token)])
            }
            #expect(error.code == .insufficientPermissions)
            #expect(alice.outbox.closed == nil)
            try await node.node.core.write {
                try $0.noteContact(
                    of: UserID(node: node.id, username: Username("alice")),
                    UserID(node: node.id, username: Username("bob")))
            }
            try await alice.command("update_status", ["status": "away"])
            try await eventually("alice's status") { !bob.outbox.events("user_status").isEmpty }
            #expect(bob.outbox.events("user_status").first?["user_id"]?.string?.hasSuffix(".alice") == true)
        }
    }

    @Test("a status reaches whom its user has written to, and nobody else (WS-06, WS-12, SEC-10)")
    func presence() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let carol = try await node.enrol("carol")
            _ = try await carol.client.send(carol.person.message(to: "@" + alice.person.id.text))
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            try await alice.client.command("update_status", ["status": "away", "message": "at sea"])
            let seen = try #require(bob.client.outbox.events("user_status").first)
            #expect(seen["user_id"]?.string == alice.person.id.text && seen["status"]?.string == "away")
            #expect(seen["message"]?.string == "at sea")
            #expect(
                carol.client.outbox.events("user_status").allSatisfy { $0["user_id"]?.string != alice.person.id.text })
            #expect(seen["last_seen"]?.string == node.time.now().description)
            let error = try await refusal { try await alice.client.command("update_status", ["status": "asleep"]) }
            #expect(error.code == .invalidMessageFormat && error.details["member"]?.string == "status")
            await bob.client.session.closed()
            try await alice.client.command("update_status", ["status": "online"])
            #expect(bob.client.outbox.events("user_status").count == 1)
        }
    }

    @Test("a session without a device has no queue and cannot send")
    func noDevice() async throws {
        try await TestNode.with { node in
            let (person, _) = try await node.enrol("alice")
            let client = await TestClient(node)
            let frame = TestClient.proof(person, try await client.challenge(for: person.id), node: node.id)
            try await client.login(frame.omitting(["device"]))
            let message = person.message(to: "@" + person.id.text)
            #expect(try await refusal { try await client.send(message) }.code == .insufficientPermissions)
        }
    }

    @Test("a request_id of 64 bytes comes back; 65 are refused (ERR-01)")
    func requestID() async throws {
        try await TestNode.with { node in
            let (_, client) = try await node.enrol("alice")
            let longest = String(repeating: "é", count: 32)
            try await client.command("update_status", ["status": "away"], request: longest)
            let answer = try await client.say([
                "command": "update_status", "data": ["status": "away"], "request_id": .string(longest + "x"),
            ])
            #expect(answer["event"]?.string == "error")
            let error = try await refusal { try await client.command("fly", [:]) }
            #expect(error.code == .invalidMessageFormat && error.hint != nil)
        }
    }
}
