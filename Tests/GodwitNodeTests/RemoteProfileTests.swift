import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What users of other nodes show (REST-03, FED-05, G-59): asked once, kept, and hidden as at home.
@Suite("Profiles of users of other nodes")
struct RemoteProfileTests {
    /// alice at one node, bob at another, and carol with alice.
    private static func with(
        limits: ProtectionLimits = ProtectionLimits(),
        _ body: (TestNode, TestNode, Asker, Asker) async throws -> Void
    ) async throws {
        try await TestNode.with(limits: limits) { one in
            try await TestNode.with { other in
                try await one.add(other, calls: true)
                try await other.add(one)
                try await body(one, other, try await one.asker("alice"), try await other.asker("bob"))
            }
        }
    }

    private static func get(_ user: UserID, by asker: Asker) async throws -> JSONObject {
        try await asker.stayOnline()
        return try await asker.client.command("get_user", ["user_id": .string(user.text)])
    }

    private static func lookups(_ one: TestNode, towards other: TestNode) async throws -> Int {
        try await one.queue(for: .node(other.id)).count { $0["type"]?.string == "user_lookup" }
    }

    @Test("a profile is asked for once, told when it comes, and answered from then on with the time that it is of")
    func asked() async throws {
        try await Self.with { one, other, alice, bob in
            try await bob.client.command("publish_keys", bob.person.keys(oneTime: 1..<6))
            let keys = try await other.count("node_one_time_key")
            let first = try await Self.get(bob.person.id, by: alice)
            #expect(first.omitting(["request_id"]) == ["user_id": .string(bob.person.id.text), "pending": true])
            _ = try await Self.get(bob.person.id, by: alice)
            #expect(try await Self.lookups(one, towards: other) == 1)
            try await one.settle(with: other)
            try await eventually("the word") { alice.client.outbox.events("user_profile").count == 1 }
            let told = alice.client.outbox.events("user_profile").last
            #expect(told?["found"] == true && told?["display_name"]?.string == "A person")
            let known = try await Self.get(bob.person.id, by: alice)
            #expect(known["display_name"]?.string == "A person" && known["as_of"]?.string != nil)
            #expect(known["public_key"]?.string == bob.person.identityKey.publicKey.text)
            // Whoever is elsewhere is told of by events; here nobody learns when bob is there.
            #expect(known["status"] == "offline" && known["last_seen"] == .null && known["pending"] == nil)
            #expect(try await Self.lookups(one, towards: other) == 0)
            // Nothing of it concerns keys, or the device's queue.
            #expect(try await other.count("node_one_time_key") == keys)
            #expect(alice.client.outbox.objects("user_lookup_result").isEmpty)
        }
    }

    @Test("an unknown user and one who has blocked the asker are the same; others see the latter")
    func hidden() async throws {
        try await Self.with { one, other, alice, bob in
            let carol = try await one.asker("carol")
            let nobody = try UserID("\(other.id.text).nobody")
            let file = bob.person.identityFile().setting(
                "preferences", ["blocked_users": [.string(alice.person.id.text)]])
            try await bob.client.command("update_identity", ["identity_file": .object(file)])
            for (user, asker) in [(bob.person.id, alice), (nobody, alice), (bob.person.id, carol)] {
                _ = try await Self.get(user, by: asker)
            }
            try await one.settle(with: other)
            try await eventually("both answers") { alice.client.outbox.events("user_profile").count == 2 }
            #expect(alice.client.outbox.events("user_profile").allSatisfy { $0["found"] == false })
            var errors: [ProtocolError] = []
            for user in [bob.person.id, nobody] {
                var error = try await refusal { _ = try await Self.get(user, by: alice) }
                #expect(error.details["user_id"]?.string == user.text)
                error.details = [:]
                errors.append(error)
            }
            #expect(errors[0] == errors[1] && errors[0].code == .userNotFound)
            #expect(try await Self.get(bob.person.id, by: carol)["display_name"]?.string == "A person")
        }
    }

    @Test("an answer of a day ago is given while the next is on its way, an absence for an hour, by uptime (D-16)")
    func ages() async throws {
        try await Self.with { one, other, alice, bob in
            let nobody = try UserID("\(other.id.text).nobody")
            for user in [bob.person.id, nobody] { _ = try await Self.get(user, by: alice) }
            try await one.settle(with: other)
            try await eventually("the answers") { alice.client.outbox.events("user_profile").count == 2 }
            try await one.node.expire(elapsed: NodeTransaction.absenceFresh - 1)
            _ = try await refusal { _ = try await Self.get(nobody, by: alice) }
            #expect(try await Self.lookups(one, towards: other) == 0)
            try await one.node.expire(elapsed: 1)
            _ = try await refusal { _ = try await Self.get(nobody, by: alice) }
            #expect(try await Self.lookups(one, towards: other) == 1)
            try await one.node.expire(elapsed: NodeTransaction.profileFresh - NodeTransaction.absenceFresh - 1)
            _ = try await Self.get(bob.person.id, by: alice)
            #expect(try await Self.lookups(one, towards: other) == 1)
            try await one.node.expire(elapsed: 1)
            #expect(try await Self.get(bob.person.id, by: alice)["as_of"] != nil)
            #expect(try await Self.lookups(one, towards: other) == 2)
        }
    }

    @Test("questions count as lookups: beyond the limit they are refused with 3002, and what is known is answered")
    func limited() async throws {
        var limits = ProtectionLimits()
        limits.claims = RateLimit(burst: 2, perSecond: 0.1)
        try await Self.with(limits: limits) { one, other, alice, bob in
            let nobody = try UserID("\(other.id.text).nobody")
            for user in [bob.person.id, nobody] { _ = try await Self.get(user, by: alice) }
            let third = try UserID("\(other.id.text).third")
            let error = try await refusal { _ = try await Self.get(third, by: alice) }
            #expect(error.code == .rateLimited && error.details["retry_after"]?.integer == 10)
            #expect(try await Self.lookups(one, towards: other) == 2)
            try await one.settle(with: other)
            try await eventually("the answers") { alice.client.outbox.events("user_profile").count == 2 }
            #expect(try await Self.get(bob.person.id, by: alice)["as_of"] != nil)
            try await one.node.expire(elapsed: NodeTransaction.profileFresh)
            #expect(try await Self.get(bob.person.id, by: alice)["as_of"] != nil)
            one.time.advance(milliseconds: 10_000)
            #expect(try await Self.get(third, by: alice)["pending"] == true)
        }
    }

    @Test("a picture stays at home where the profile would be too large for a thin link")
    func picture() async throws {
        try await Self.with { one, other, alice, bob in
            let avatar = "data:image/png;base64," + Base64.encode([UInt8](repeating: 7, count: 6_000))
            let identity = (bob.person.identityFile()["identity"]?.object ?? [:])
                .setting("avatar", .string(avatar)).setting("bio", "Pilot.")
            let file = bob.person.identityFile().setting("identity", .object(identity)).setting(
                "signature", .string(bob.person.identityKey.sign(object: identity, purpose: .identity).text))
            try await bob.client.command("update_identity", ["identity_file": .object(file)])
            _ = try await Self.get(bob.person.id, by: alice)
            try await one.settle(with: other)
            try await eventually("the word") { alice.client.outbox.events("user_profile").count == 1 }
            let known = try await Self.get(bob.person.id, by: alice)
            #expect(known["bio"] == "Pilot." && known["avatar"] == nil)
        }
    }

    @Test("nobody else answers for a user's node, nothing is taken that was not asked for, devices ask with get_user")
    func hostile() async throws {
        try await Self.with { one, other, alice, bob in
            var result = UserLookupResult(
                userID: bob.person.id, requester: alice.person.party, asOf: TestTime.start, found: nil)
            result.isProfile = true
            let object = try ProtocolObject(result.object)
            try await one.node.core.write { try $0.dispatch(object, from: .node(other.id)) }
            #expect(try await one.count("node_profile") == 0)
            _ = try await Self.get(bob.person.id, by: alice)
            await #expect(throws: ProtocolError.self) {
                try await one.node.core.write { try $0.dispatch(object, from: alice.person.party) }
            }
            #expect(try await one.count("node_profile WHERE pending") == 1)
            let lookup = UserLookup(
                userID: bob.person.id, requestingNode: one.id, requester: alice.person.party, at: TestTime.start,
                isProfile: true)
            let error = try await refusal {
                try await alice.client.command("submit", ["object": .object(lookup.object)])
            }
            #expect(error.code == .invalidMessageFormat && error.details["member"]?.string == "profile")
        }
    }

    @Test("what was asked and told goes with either account, and an export names it (GDPR-01)")
    func data() async throws {
        try await Self.with { one, other, alice, bob in
            _ = try await Self.get(bob.person.id, by: alice)
            try await one.settle(with: other)
            try await eventually("the word") { alice.client.outbox.events("user_profile").count == 1 }
            let lines = try await alice.client.command("export_data", [:])["lines"]?.array?.compactMap(\.object)
            let asked = lines?.filter { $0["kind"]?.string == "profile_asked" }
            #expect(asked?.map { $0["user_id"]?.string } == [bob.person.id.text])
            try await alice.must(alice.person.command("erase_account", [:]))
            #expect(try await one.count("node_profile") == 0)
        }
    }

    @Test("a user of a node that is no peer is not found (2003)")
    func unreachable() async throws {
        try await Self.with { _, _, alice, _ in
            let error = try await refusal { _ = try await Self.get(try UserID("zzzzzzz2.bob"), by: alice) }
            #expect(error.code == .userNotFound && error.hint?.contains("peer add") == true)
        }
    }
}
