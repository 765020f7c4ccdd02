import GodwitProtocol
import Testing

@testable import GodwitNode

/// Sessions as their user sees and ends them (AUTH-11, AUTH-12, AUTH-13, AUTH-16; gaps G-30, G-31).
@Suite("Lists of sessions")
struct SessionListTests {
    private func sessions(_ node: TestNode, _ token: String) async throws -> [JSONObject] {
        let session = try await node.node.session(for: token)
        let answer = try await node.node.carryOut("list_sessions", [:], in: session)
        return (answer["sessions"]?.array ?? []).compactMap(\.object)
    }

    private func isOpen(_ node: TestNode, _ token: String) async throws -> Bool {
        do { _ = try await node.node.session(for: token) } catch let error as ProtocolError {
            guard error.code == .sessionExpired else { throw error }
            return false
        }
        return true
    }

    private func areOpen(_ node: TestNode, _ tokens: String...) async throws -> [Bool] {
        var open: [Bool] = []
        for token in tokens { open.append(try await isOpen(node, token)) }
        return open
    }

    @Test("each login is a session of its own, with its device and times; the present one is marked (AUTH-13)")
    func lists() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let first = try await TestClient(node).register(person, at: node).token
            node.time.advance(milliseconds: 60_000)
            let second = try await TestClient(node).prove(person, at: node).token
            let list = try await sessions(node, second)
            #expect(list.map { $0["current"]?.bool } == [true, false])
            #expect(list.allSatisfy { $0["device"]?.string == person.device.text })
            #expect(list.first?["opened"]?.string == node.time.now().description)
            let other = try await sessions(node, first)
            #expect(other.map { $0["session"] } == list.map { $0["session"] })
        }
    }

    @Test("a logout ends its session at once, wherever its token is used, and its sockets with 4401 (AUTH-12)")
    func logout() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            let token = try await client.register(person, at: node).token
            let kept = try await TestClient(node).prove(person, at: node).token
            let second = await TestClient(node, token: token)
            let session = try await node.node.session(for: token)
            #expect(try await node.node.carryOut("end_session", [:], in: session).isEmpty)
            #expect(client.outbox.closed == 4401 && second.outbox.closed == 4401)
            #expect(try await areOpen(node, token, kept) == [false, true])
            #expect(try await sessions(node, kept).count == 1)
            // Once more: it is as it was asked for.
            #expect(try await node.node.carryOut("end_session", [:], in: session).isEmpty)
        }
    }

    @Test("one session can end another of its user, and none of anybody else's")
    func endsByName() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try Person("alice", at: node.id), try Person("bob", at: node.id))
            let first = try await TestClient(node).register(alice, at: node).token
            let second = try await TestClient(node).prove(alice, at: node).token
            let others = try await TestClient(node).register(bob, at: node).token
            let names = [first, others]
            for token in names {
                let name = try await node.node.session(for: token).name
                let session = try await node.node.session(for: second)
                _ = try await node.node.carryOut("end_session", ["session": .string(name)], in: session)
            }
            #expect(try await areOpen(node, first, second, others) == [false, true, true])
        }
    }

    @Test("logging out everywhere leaves no session of the user and all of the others'")
    func everywhere() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try Person("alice", at: node.id), try Person("bob", at: node.id))
            let client = await TestClient(node)
            let first = try await client.register(alice, at: node).token
            let second = try await TestClient(node).prove(alice, at: node).token
            let others = try await TestClient(node).register(bob, at: node).token
            let session = try await node.node.session(for: second)
            #expect(try await node.node.carryOut("end_sessions", [:], in: session)["ended"]?.integer == 2)
            #expect(try await areOpen(node, first, second, others) == [false, false, true])
            #expect(client.outbox.closed == 4401)
        }
    }

    @Test("a refreshed session keeps its name and its place in the list; the old token is over (AUTH-11)")
    func refreshed() async throws {
        try await TestNode.with { node in
            let old = try await TestClient(node).register(try Person("alice", at: node.id), at: node).token
            let name = try await node.node.session(for: old).name
            node.time.advance(milliseconds: 3_600_000)
            let answer = try await node.node.login("auth_refresh", ["session_token": .string(old)], from: nil)
            let new = try #require(answer["session_token"]?.string)
            #expect(try await node.node.session(for: new).name == name)
            #expect(try await !isOpen(node, old))
            #expect(try await sessions(node, new).count == 1)
        }
    }

    @Test("a token is refreshed until four hours after it was issued, and used until eight (AUTH-10, AUTH-11, G-30)")
    func refreshLimit() async throws {
        try await TestNode.with { node in
            for (milliseconds, isGood) in [(14_400_000, true), (14_400_001, false)] as [(Int64, Bool)] {
                let person = try Person("alice-\(milliseconds)", at: node.id)
                let token = try await TestClient(node).register(person, at: node).token
                node.time.advance(milliseconds: milliseconds)
                #expect(try await isOpen(node, token))
                do {
                    _ = try await node.node.login("auth_refresh", ["session_token": .string(token)], from: nil)
                    #expect(isGood)
                } catch let error as ProtocolError { #expect(!isGood && error.code == .sessionExpired) }
            }
        }
    }

    @Test("a socket ends with its session after eight hours, and lives on if it was refreshed meanwhile (AUTH-10)")
    func socketExpiry() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try Person("alice", at: node.id), try Person("bob", at: node.id))
            let (stale, fresh) = (await TestClient(node), await TestClient(node))
            try await stale.register(alice, at: node)
            let token = try await fresh.register(bob, at: node).token
            node.time.advance(milliseconds: 14_000_000)
            _ = try await node.node.login("auth_refresh", ["session_token": .string(token)], from: nil)
            node.time.advance(milliseconds: 14_800_000)
            let command: JSONObject = ["command": "update_status", "data": ["status": "away"], "request_id": "r"]
            await stale.session.received(command.canonicalBytes())
            #expect(stale.outbox.closed == 4401)
            try await fresh.command("update_status", ["status": "away"])
            #expect(fresh.outbox.closed == nil)
        }
    }

    @Test("a device that leaves the list is out at once: its tokens too, its siblings' not (AUTH-16)")
    func revoked() async throws {
        try await TestNode.with { node in
            let (alice, _) = try await node.enrol("alice")
            let second = try Person("alice", at: node.id)
            let tokenOfFirst = try await TestClient(node).prove(alice, at: node).token
            let session = try await node.node.session(for: tokenOfFirst)
            let both = alice.deviceList(version: 2, with: [second])
            let grown = try await node.node.carryOut("update_devices", ["device_list": .object(both)], in: session)
            #expect(grown["version"]?.integer == 2)
            let other = await TestClient(node)
            let frame = TestClient.proof(alice, try await other.challenge(for: alice.id), node: node.id)
                .setting("device", .string(second.device.text))
            let tokenOfSecond = try await other.login(frame).token
            let less = alice.deviceList(version: 3)
            let remaining = try await node.node.session(for: tokenOfFirst)
            _ = try await node.node.carryOut("update_devices", ["device_list": .object(less)], in: remaining)
            #expect(try await isOpen(node, tokenOfFirst))
            #expect(try await !isOpen(node, tokenOfSecond))
            // An older list takes nothing back.
            let error = try await refusal {
                try await node.node.carryOut("update_devices", ["device_list": .object(both)], in: remaining)
            }
            #expect(error.code == .invalidMessageFormat && error.details["member"]?.string == "version")
        }
    }

    @Test("64 sessions of a user are kept; one more ends the oldest")
    func bounded() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let first = try await TestClient(node).register(person, at: node).token
            for _ in 1..<64 {
                node.time.advance(milliseconds: 1)
                try await TestClient(node).prove(person, at: node)
            }
            #expect(try await isOpen(node, first))
            node.time.advance(milliseconds: 1)
            let last = try await TestClient(node).prove(person, at: node).token
            #expect(try await !isOpen(node, first))
            #expect(try await sessions(node, last).count == 64)
        }
    }
}
