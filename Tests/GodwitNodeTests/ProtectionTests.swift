import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Limits, maintenance, invites and the audit log of a node (SEC-07, SEC-08, ERR-06, ERR-07, G-29).
@Suite("Protection")
struct ProtectionTests {
    private static func source(_ last: UInt8) -> SourceAddress { SourceAddress([192, 0, 2, last]) }

    @Test("addresses of one IPv6 site are one source, those of IPv4 each their own, written either way")
    func sources() {
        let site: [UInt8] = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 1]
        #expect(SourceAddress(site + [0, 0, 0, 0, 0, 0, 0, 1]) == SourceAddress(site + [9, 9, 9, 9, 9, 9, 9, 9]))
        #expect(
            SourceAddress([0x20, 1, 0xD, 0xB8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1])
                != SourceAddress(site + [0, 0, 0, 0, 0, 0, 0, 1]))
        #expect(Self.source(1) != Self.source(2))
        #expect(SourceAddress([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1]) == Self.source(1))
    }

    @Test("a user's commands are limited over all his sockets; the answer names the seconds (SEC-07)")
    func commands() async throws {
        var limits = ProtectionLimits()
        limits.commands = RateLimit(burst: 3, perSecond: 0.5)
        try await TestNode.with(limits: limits) { node in
            let person = try Person("alice", at: node.id)
            let (one, other) = (await TestClient(node), await TestClient(node))
            try await one.register(person, at: node)
            try await other.prove(person, at: node)
            for client in [one, other, one] { try await client.command("update_status", ["status": "away"]) }
            let error = try await refusal { try await other.command("update_status", ["status": "away"]) }
            #expect(error.code == .rateLimited && error.retryAfter == 2)
            node.time.advance(milliseconds: 2_000)
            try await other.command("update_status", ["status": "away"])
        }
    }

    @Test("an address whose logins were refused too often waits; others do not (SEC-07)")
    func refusedLogins() async throws {
        var limits = ProtectionLimits()
        limits.refusedLogins = RateLimit(burst: 2, perSecond: 0.1)
        try await TestNode.with(limits: limits) { node in
            let person = try Person("alice", at: node.id)
            try await TestClient(node).register(person, at: node)
            let user: JSONObject = ["user_id": .string(person.id.text)]
            func challenge(_ source: SourceAddress) async throws {
                try await node.node.admit(.login, from: source)
                _ = try await node.node.login("auth_challenge_request", user, from: source)
            }
            for _ in 0..<2 {
                try await challenge(Self.source(1))
                let error = try await refusal {
                    try await node.node.login("auth_refresh", ["session_token": "no"], from: Self.source(1))
                }
                #expect(error.code == .invalidCredentials)
            }
            let error = try await refusal { try await challenge(Self.source(1)) }
            #expect(error.code == .rateLimited && error.retryAfter == 10)
            try await challenge(Self.source(2))
        }
    }

    @Test("one-time pre-keys are claimed so often and no more, by one user")
    func claims() async throws {
        var limits = ProtectionLimits()
        limits.claims = RateLimit(burst: 2, perSecond: 0.1)
        try await TestNode.with(limits: limits) { node in
            let (alice, client) = try await node.enrol("alice")
            let data: JSONObject = ["user_id": .string(alice.id.text)]
            for _ in 0..<2 { try await client.command("claim_keys", data) }
            #expect(try await refusal { try await client.command("claim_keys", data) }.code == .rateLimited)
            try await client.command("get_keys", data)
        }
    }

    @Test("during maintenance everybody is sent away with 9001, restarts included, and let in afterwards (ERR-07)")
    func maintenance() async throws {
        try await TestNode.with { node in
            let (person, client) = try await node.enrol("alice")
            let token = try await TestClient(node).prove(person, at: node).token
            let session = try await node.node.session(for: token)
            #expect(
                try await node.control(["request": "maintenance", "on": true]).object?["maintenance"]?.bool == true)
            #expect(client.outbox.closed == 1013)
            let told = client.outbox.events("error").last.flatMap { ProtocolError(object: $0) }
            #expect(told?.code == .maintenanceMode && told?.retryAfter == 60)
            #expect(await node.node.isReady() == false)
            for attempt in [
                { try await node.node.admit(.requests, from: nil) }, { try await node.node.admit(.login, from: nil) },
                { _ = try await node.node.carryOut("list_sessions", [:], in: session) },
                { try await node.node.exchange.openExchange().receive([1, 2, 3]) },
            ] as [() async throws -> Void] {
                let error = try await refusal(attempt)
                #expect(error.code == .maintenanceMode && error.retryAfter == 60)
            }
            #expect(NodeFiles.exists(node.directory + "/home/maintenance"))
            _ = try await node.control(["request": "maintenance", "on": false])
            #expect(await node.node.isReady() && !NodeFiles.exists(node.directory + "/home/maintenance"))
            try await TestClient(node).prove(person, at: node)
        }
    }

    @Test("an operator's invite registers as many as it says, until it expires or is withdrawn (G-29)")
    func invites() async throws {
        try await TestNode.with(registration: .invite([])) { node in
            func register(_ name: String, _ invite: String?) async throws {
                try await TestClient(node).register(try Person(name, at: node.id), at: node, invite: invite)
            }
            func invite(_ request: JSONObject) async throws -> JSONObject {
                try #require(try await node.control(request.setting("request", "invite")).object)
            }
            let two = try #require(try await invite(["uses": 2])["invite"]?.string)
            try await register("first", two)
            #expect(
                try await refusal { try await register("nobody", (two.first == "x" ? "y" : "x") + two.dropFirst()) }
                    .code
                    == .insufficientPermissions)
            try await register("second", two)
            #expect(try await refusal { try await register("third", two) }.code == .insufficientPermissions)
            let made = try await invite(["hours": 1])
            let text = try #require(made["invite"]?.string)
            node.time.advance(milliseconds: 3_600_000)
            #expect(try await refusal { try await register("third", text) }.code == .insufficientPermissions)
            let last = try await invite([:])
            #expect(try await node.control(["request": "invites"]).array?.count == 1)
            #expect(try await node.control(["request": "withdraw_invite", "name": last["name"] ?? .null]).bool == true)
            let gone = last["invite"]?.string
            #expect(try await refusal { try await register("third", gone) }.code == .insufficientPermissions)
            #expect(try await node.count("node_user") == 2)
        }
    }

    @Test("the audit log names what happened, users by digests only, and refused logins in numbers (SEC-08)")
    func audit() async throws {
        try await TestNode.with { node in
            let alice = try Person("alice", at: node.id)
            let token = try await TestClient(node).register(alice, at: node).token
            for _ in 0..<3 {
                let other = await TestClient(node)
                let challenge = try await other.challenge(for: alice.id)
                let frame = TestClient.proof(alice, challenge, node: node.id, key: try .generate())
                #expect(try await refusal { try await other.login(frame) }.code == .invalidCredentials)
            }
            let session = try await node.node.session(for: token)
            _ = try await node.node.carryOut("end_sessions", [:], in: session)
            let rows = try await node.control(["request": "audit"]).array ?? []
            let kinds = rows.compactMap { $0.object?["kind"]?.string }
            #expect(kinds == ["login_refused", "logged_out_everywhere", "registered"])
            #expect(rows.first?.object?["count"]?.integer == 3)
            #expect(rows.allSatisfy { !$0.canonicalText.contains("alice") })
            let hers = try await node.control(["request": "audit", "user": .string(alice.id.text)]).array
            #expect(hers?.count == 3)
            #expect(try await node.control(["request": "audit", "user": "a7f3k9m2.bob"]).array?.isEmpty == true)
        }
    }

    @Test("10,000 events are kept; one more forgets the oldest")
    func auditBound() async throws {
        try await TestNode.with { node in
            try await node.node.core.write { transaction in
                for _ in 0..<10_000 { try transaction.audit(.backup, subject: nil) }
            }
            #expect(try await node.count("node_audit") == 10_000)
            try await node.node.core.write { try $0.audit(.reloaded, subject: nil) }
            #expect(try await node.count("node_audit") == 10_000)
            let newest = try await node.node.core.read { try $0.auditRows(subject: nil, limit: 1) }
            #expect(newest.first?.object?["kind"]?.string == "reloaded")
        }
    }
}
