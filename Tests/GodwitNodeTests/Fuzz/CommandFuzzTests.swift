import Glibc
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Every JSON input of a node, mutated at random (seeded): it is answered, never with an internal error, and the node
/// goes on serving others. `GODWIT_FUZZ` gives the number of inputs of each kind, `GODWIT_SEED` the seed.
@Suite("Mutated inputs", .timeLimit(.minutes(10))) struct CommandFuzzTests {
    static let inputs = Environment.number("GODWIT_FUZZ") ?? 1_500
    static let seed = Environment.number("GODWIT_SEED").map(UInt64.init) ?? 20_261_128

    /// No limit of how often gets in the way.
    private static var limits: ProtectionLimits {
        var limits = ProtectionLimits()
        let much = RateLimit(burst: 1e9, perSecond: 1e9)
        (limits.login, limits.refusedLogins, limits.requests) = (much, much, much)
        (limits.commands, limits.messages, limits.claims) = (much, much, much)
        (limits.passwords, limits.forgedFrames, limits.neighbourClaims) = (much, much, much)
        (limits.messageRequests, limits.neighbourMessageRequests) = (much, much)
        return limits
    }

    /// Data of commands as an honest client sends it.
    static func commands(_ asker: Asker, _ other: Asker) throws -> [(name: String, data: JSONObject)] {
        let room: JSONObject = ["channel": "#room", "channel_node": .string(asker.node.id.text)]
        let person = asker.person
        let direct = person.message(to: "@" + other.person.id.text, time: asker.node.time.now())
        let sent = person.message(to: "#room", at: asker.node.id, time: asker.node.time.now())
        let signed = [
            asker.create("#new"), asker.join("#room"), asker.join("#room", asker.invite(to: "#room")),
            asker.order("leave_channel", "#room"), asker.order("delete_channel", "#room"),
            asker.order("remove_member", "#room", asker.about(other)),
            asker.order("ban_user", "#room", asker.about(other, ["until": "2026-09-06T10:30:00.123Z", "reason": "x"])),
            asker.order("set_role", "#room", asker.about(other, ["role": "moderator"])),
            asker.order("set_channel", "#room", ["topic": "t", "description": "d", "visibility": "private"]),
            asker.order("transfer_channel", "#room", asker.about(other)),
            asker.order("revoke_invite", "#room", ["id": "aaaaaaaaaaaaaaaaaaaaaaaaaa"]),
            asker.order("release_held", "#room", ["items": .string(Base64.encode([UInt8](repeating: 3, count: 64)))]),
            asker.order("discard_held", "#room", ["items": .string(Base64.encode([UInt8](repeating: 3, count: 32)))]),
        ].map { (name: $0["command"]?.string ?? "", data: ["command": JSONValue.object($0)] as JSONObject) }
        let user: JSONObject = ["user_id": .string(other.person.id.text)]
        let marker: JSONObject = [
            "type": "read_marker", "user_id": .string(person.id.text), "device": .string(person.device.text),
            "channel": "#room", "channel_node": .string(asker.node.id.text),
            "upto": .string(Base64.encode([UInt8](repeating: 3, count: 32))), "at": .string(TestTime.start.description),
        ]
        return signed + [
            ("publish_keys", person.keys()), ("send_message", ["message": .object(direct)]),
            ("send_message", ["message": .object(sent)]), ("list_channels", ["after": "#a:b", "limit": 3]),
            ("channel_info", room.setting("limit", 2)), ("list_bans", room),
            ("list_held", room.setting("after", "3")), ("lookup_user", user),
            ("submit", ["object": .object(marker)]),
            ("submit", ["object": .object(asker.order("list_held", "#room", ["limit": 3, "after": "1"]))]),
            ("update_status", ["status": "away", "message": "m"]),
            ("received", ["upto": 0]), ("waiting", ["after": 0, "limit": 4]), ("second_factor", [:]),
            ("enrol_second_factor", ["kind": "totp", "algorithm": "SHA1", "digits": 6]),
            ("confirm_second_factor", ["one_time_password": "123456"]), ("list_sessions", [:]),
            ("list_devices", [:]), ("update_devices", ["device_list": .object(person.deviceList(version: 2))]),
            ("get_devices", user), ("get_keys", user), ("claim_keys", user),
            ("delete_messages", ["deletion": .object(try person.deletion([sent]))]),
            ("history", room.setting("limit", 10).setting("before", "7")), ("typing", room.setting("typing", true)),
            ("mark_read", room.setting("upto", .string(Base64.encode([UInt8](repeating: 3, count: 32))))),
            ("get_user", user), ("update_identity", ["identity_file": .object(person.identityFile())]),
            ("move_user", ["record": .object(try UserMoveTests.record(of: person))]), ("export_data", ["after": "x"]),
        ]
    }

    private func scene(_ node: TestNode, _ round: Int) async throws -> (asker: Asker, other: Asker) {
        let pair = (asker: try await node.asker("one-\(round)"), other: try await node.asker("two-\(round)"))
        try await pair.asker.must(round == 0 ? pair.asker.create("#room") : pair.asker.join("#room"))
        return pair
    }

    /// The error of an answer, if it is one.
    private func code(_ frame: JSONObject) -> ErrorCode? {
        (frame["data"]?.object.flatMap { ProtocolError(object: $0) } ?? ProtocolError(object: frame))?.code
    }

    @Test("a socket answers every mutated command, with no internal error, and closes for stated reasons only (ERR-01)")
    func sockets() async throws {
        try await TestNode.with(limits: Self.limits) { node in
            var mutator = JSONMutator(seed: Self.seed)
            var (round, done) = (0, 0)
            var kinds: Set<ErrorCode> = []
            while done < Self.inputs {
                let (asker, other) = try await scene(node, round)
                let commands = try Self.commands(asker, other)
                round += 1
                while done < Self.inputs, asker.client.outbox.closed == nil {
                    done += 1
                    let (name, data) = mutator.pick(commands)
                    let frame: JSONObject = ["command": .string(name), "data": .object(data), "request_id": "r"]
                    let text =
                        switch done % 4 {
                        case 0: mutator.garbled(frame.canonicalBytes())
                        case 1: mutator.mutated(frame).canonicalBytes()
                        default: frame.setting("data", .object(mutator.mutated(data))).canonicalBytes()
                        }
                    let before = asker.client.outbox.frames.count
                    await asker.client.session.received(text)
                    try await eventually("an answer to \(String(decoding: text.prefix(2_000), as: UTF8.self))") {
                        asker.client.outbox.frames.count > before || asker.client.outbox.closed != nil
                    }
                    let codes = asker.client.outbox.frames.dropFirst(before).compactMap(code)
                    kinds.formUnion(codes)
                    #expect(
                        !codes.contains(.internalError), "seed \(Self.seed): \(String(decoding: text, as: UTF8.self))")
                }
                #expect([nil, 4400, 4401, 1007, 1008].contains(asker.client.outbox.closed))
            }
            // It did reach what is behind the parser.
            #expect(
                kinds.isSuperset(of: [.invalidMessageFormat, .invalidCredentials, .channelNotFound, .userNotFound]))
            try await stillServes(node)
        }
    }

    @Test("objects that a device has signed and that are wrong inside are refused in batches, and nothing else is lost")
    func batches() async throws {
        try await TestNode.with(limits: Self.limits) { node in
            var mutator = JSONMutator(seed: Self.seed &+ 1)
            let (asker, other) = try await scene(node, 0)
            let objects = try Self.commands(asker, other).compactMap { command in
                command.data["command"]?.object ?? command.data["deletion"]?.object
            }
            for _ in 0..<Self.inputs / 3 {
                let object = mutator.pick(objects)
                let purpose: SignaturePurpose = object["type"]?.string == "deletion" ? .deletion : .command
                var wrong = object
                if let data = object["data"]?.object {
                    wrong["data"] = .object(mutator.mutated(data))
                } else {
                    wrong = mutator.mutated(object)
                }
                wrong = asker.person.deviceKey.signed(wrong.omitting(["signature"]), purpose: purpose)
                do {
                    let code = try await asker.ask(wrong, over: .batch)
                    #expect(code != .internalError, "seed \(Self.seed): \(wrong.canonicalText)")
                } catch let error as ProtocolError {
                    #expect(error.code != .internalError, "seed \(Self.seed): \(wrong.canonicalText)")
                }
            }
            try await stillServes(node)
        }
    }

    @Test("mutated logins are refused, with no internal error, and open no session")
    func logins() async throws {
        try await TestNode.with(limits: Self.limits) { node in
            var mutator = JSONMutator(seed: Self.seed &+ 2)
            let (person, _) = try await node.enrol("victim")
            let stranger = try Person("stranger", at: node.id)
            for number in 0..<Self.inputs / 3 {
                let client = await TestClient(node)
                let user = number.isMultiple(of: 2) ? person : stranger
                let challenge = try await client.challenge(for: user.id)
                // Signed by a key that is nobody's: however it is changed, it must not pass.
                let key = try SigningKey.generate()
                let frame =
                    number.isMultiple(of: 2)
                    ? TestClient.proof(person, challenge, node: node.id, key: key)
                    : TestClient.registration(stranger, challenge, node: node.id, key: key)
                let text =
                    number % 3 == 0
                    ? mutator.garbled(frame.canonicalBytes()) : mutator.mutated(frame).canonicalBytes()
                let before = client.outbox.frames.count
                await client.session.received(text)
                let answers = client.outbox.frames.dropFirst(before)
                #expect(!answers.isEmpty || client.outbox.closed != nil)
                #expect(!answers.contains { $0["type"]?.string == "auth_success" })
                #expect(!answers.compactMap(code).contains(.internalError))
            }
            try await stillServes(node)
        }
    }

    /// Two people who come afterwards can talk.
    private func stillServes(_ node: TestNode) async throws {
        let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
        let message = alice.person.message(to: "@" + bob.person.id.text, time: node.time.now())
        #expect(try await alice.send(message, over: .socket) == nil)
        try await eventually("the message") { bob.client.outbox.messages.count == 1 }
    }
}

private enum Environment {
    static func number(_ name: String) -> Int? {
        guard let value = getenv(name) else { return nil }
        return Int(String(cString: value))
    }
}
