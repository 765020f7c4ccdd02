import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Logging in with a one-time password besides the key (MFA-01).
@Suite("Second factor")
struct SecondFactorTests {
    private struct Enrolled {
        var node: TestNode
        var person: Person
        var client: TestClient
        var passwords: OneTimePassword
        var codes: [String]

        /// The password of now, or of another step.
        func now(_ offset: Int64 = 0) -> String {
            passwords.password(at: node.time.now().milliseconds / OneTimePassword.step + offset)
        }

        func login(_ password: String?) async throws {
            let client = await TestClient(node)
            var frame = TestClient.proof(person, try await client.challenge(for: person.id), node: node.id)
            if let password { frame["one_time_password"] = .string(password) }
            try await client.login(frame)
        }

        func refused(_ password: String?) async throws -> ErrorCode {
            try await refusal { try await login(password) }.code
        }
    }

    private func enrolled(
        _ node: TestNode, kind: String = "totp", algorithm: String = "SHA1", digits: Int64 = 6
    ) async throws -> Enrolled {
        let (person, client) = try await node.enrol("alice")
        let answer = try await client.command(
            "enrol_second_factor",
            ["kind": .string(kind), "algorithm": .string(algorithm), "digits": .integer(digits)])
        let secret = try #require(answer["secret"]?.string.flatMap { Base32.decode($0.lowercased()) })
        #expect(answer["uri"]?.string?.hasPrefix("otpauth://\(kind)/") == true)
        let passwords = OneTimePassword(
            secret: Secret(secret), algorithm: try #require(.init(rawValue: algorithm)), digits: Int(digits))
        let first = kind == "totp" ? node.time.now().milliseconds / OneTimePassword.step : 0
        let confirmed = try await client.command(
            "confirm_second_factor", ["one_time_password": .string(passwords.password(at: first))])
        let codes = (confirmed["recovery_codes"]?.array ?? []).compactMap(\.string)
        return Enrolled(node: node, person: person, client: client, passwords: passwords, codes: codes)
    }

    @Test(
        "a factor counts once it is confirmed; then no login goes without a password of now",
        arguments: ["SHA1", "SHA256"])
    func totp(algorithm: String) async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node, algorithm: algorithm, digits: 8)
            #expect(try await alice.refused(nil) == .invalidCredentials)
            #expect(try await alice.refused(alice.now()) == .invalidCredentials, "it confirmed the factor: used")
            node.time.advance(milliseconds: 30_000)
            try await alice.login(alice.now())
            #expect(try await alice.refused(alice.now()) == .invalidCredentials, "used")
            node.time.advance(milliseconds: 90_000)
            #expect(try await alice.refused(alice.now(-2)) == .invalidCredentials)
            try await alice.login(alice.now(-1))
            try await alice.login(alice.now(1))
            #expect(try await alice.refused(alice.now()) == .invalidCredentials, "earlier than one that was used")
        }
    }

    @Test("an unconfirmed factor is asked for by nobody")
    func unconfirmed() async throws {
        try await TestNode.with { node in
            let (person, client) = try await node.enrol("alice")
            try await client.command("enrol_second_factor", [:])
            try await TestClient(node).prove(person, at: node)
            let error = try await refusal {
                try await client.command("confirm_second_factor", ["one_time_password": "000000"])
            }
            #expect(error.code == .invalidCredentials)
            #expect(try await client.command("second_factor", [:])["required"]?.bool == false)
        }
    }

    @Test("registering again with the same key asks for it too")
    func register() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            let error = try await refusal { try await TestClient(node).register(alice.person, at: node) }
            #expect(error.code == .invalidCredentials && error.details["member"]?.string == "one_time_password")
        }
    }

    @Test("who registers a user's name with another key learns nothing of a second factor, and uses up no tries")
    func stranger() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            let mallory = try Person("alice", at: node.id)
            #expect(mallory.id == alice.person.id)
            for _ in 0..<8 {
                let client = await TestClient(node)
                let challenge = try await client.challenge(for: mallory.id)
                let frame = TestClient.registration(mallory, challenge, node: node.id)
                let error = try await refusal {
                    try await client.login(frame.setting("one_time_password", "000000"))
                }
                #expect(error.code == .insufficientPermissions && error.details["member"] == nil)
            }
            node.time.advance(milliseconds: 60_000)
            try await alice.login(alice.now())
        }
    }

    @Test("many guesses at the same moment are no more tries than one after the other (MFA-01)")
    func together() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            node.time.advance(milliseconds: 60_000)
            let codes = try await withThrowingTaskGroup(of: ErrorCode.self) { group in
                for _ in 0..<20 { group.addTask { try await alice.refused("00000x") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == .invalidCredentials } == 5 && codes.count { $0 == .rateLimited } == 15)
        }
    }

    @Test("by a counter: ten presses ahead are found, eleven are not, and none goes back")
    func hotp() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node, kind: "hotp")
            // 0 confirmed it, so 1 to 10 are looked for.
            #expect(try await alice.refused(alice.passwords.password(at: 11)) == .invalidCredentials)
            try await alice.login(alice.passwords.password(at: 10))
            #expect(try await alice.refused(alice.passwords.password(at: 10)) == .invalidCredentials)
            #expect(try await alice.refused(alice.passwords.password(at: 9)) == .invalidCredentials)
            try await alice.login(alice.passwords.password(at: 11))
        }
    }

    @Test("a recovery code stands in once")
    func recovery() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            #expect(Set(alice.codes).count == 10)
            try await alice.login(alice.codes[3])
            #expect(try await alice.refused(alice.codes[3]) == .invalidCredentials)
            let state = try await alice.client.command("second_factor", [:])
            #expect(state["required"]?.bool == true && state["recovery_codes"]?.integer == 9)
        }
    }

    @Test("after five wrong passwords the right one waits too, and whoever waits gets in (3002)")
    func attempts() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            node.time.advance(milliseconds: 60_000)
            for _ in 0..<5 { #expect(try await alice.refused("00000x") == .invalidCredentials) }
            let error = try await refusal { try await alice.login(alice.now()) }
            #expect(error.code == .rateLimited && error.retryAfter == 60)
            node.time.advance(milliseconds: 60_000)
            try await alice.login(alice.now())
        }
    }

    @Test("a stolen session takes no factor away; whoever has a password does")
    func remove() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            for command in ["remove_second_factor", "enrol_second_factor"] {
                let error = try await refusal { try await alice.client.command(command, [:]) }
                #expect(error.code == .invalidCredentials)
            }
            try await alice.client.command("remove_second_factor", ["one_time_password": .string(alice.codes[0])])
            try await alice.login(nil)
        }
    }

    @Test("the secret lies sealed in the store, and opens for its own user only")
    func sealed() async throws {
        try await TestNode.with { node in
            let alice = try await enrolled(node)
            let stored = try await node.node.core.read { transaction in
                try transaction.row("SELECT hex(secret) AS secret FROM node_second_factor")?["secret"] as String?
            }
            let sealed = try #require(stored.flatMap { Hex.decode($0.lowercased()) })
            let seal = try SecretSeal(node.node.core.context.signingKey)
            let opened = try seal.open(sealed, of: alice.person.id)
            #expect(opened.count == 20)
            #expect(throws: CryptoError.self) { try seal.open(sealed, of: UserID("\(node.id.text).mallory")) }
            #expect(throws: CryptoError.self) { try SecretSeal(.generate()).open(sealed, of: alice.person.id) }
            let raw = opened.copyBytes()
            #expect(!(0...(sealed.count - raw.count)).contains { Array(sealed[$0..<$0 + raw.count]) == raw })
        }
    }
}
