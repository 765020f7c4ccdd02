import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

extension Person {
    var address: DeviceAddress { DeviceAddress(user: id, device: device) }

    /// Asks for messages of somebody, or for those before the last one of them.
    func request(
        _ reason: MessageRequest.Reason, of author: Person, in conversation: Conversation, _ hashes: [MessageHash],
        runs: [Int64]? = nil, number: Int64 = 1, signedBy other: Person? = nil
    ) -> JSONObject {
        let question = MessageRequest.Question(
            from: address, to: author.address, name: ConversationName(conversation, of: id), reason: reason,
            items: hashes.map { Array($0.bytes.prefix(10)) }, runs: runs ?? hashes.map { _ in 1 })
        return (other ?? self).deviceKey.signed(
            MessageRequest.unsigned(question, number: number, at: TestTime.start), purpose: .reseal)
    }

    /// An epoch that starts by time.
    func rotation(
        after predecessor: [UInt8], _ number: Int64, in channel: ChannelID, version: Int64, members: [Person]
    ) -> JSONObject {
        let set = MemberList(channel: channel, version: version, devices: members.map(\.party)).hash
        let unsigned = EpochStart.unsigned(
            channel: channel, predecessor: predecessor, membership: version, deviceSet: set,
            commitment: SHA256Digest.of(Array(id.text.utf8)), author: id, device: device, created: TestTime.start,
            rotation: number)
        let wraps = members.filter { $0.party != party }.map {
            EpochStart.Wrap(userID: $0.id, device: $0.device, preKey: 1, wrapped: [UInt8](repeating: 6, count: 48))
        }
        return deviceKey.signed(
            unsigned.setting(
                "wraps", EpochStart.distribution(ephemeral: [UInt8](repeating: 7, count: 32), wraps: wraps)),
            purpose: .epoch)
    }
}

@Suite("Requests for messages on their way (D-3, D-13)")
struct ResealRoutingTests {
    typealias Enrolled = FederationTests.Enrolled

    private func answers(_ someone: Enrolled) throws -> [MessageAnswer] {
        try someone.client.outbox.objects("message_answer").map { try MessageAnswer($0) }
    }

    private func hash(_ message: JSONObject) throws -> MessageHash { try Message(message).hash }

    @Test("a missing direct message comes from the reader's node's journal, with those before it, oldest first")
    func journal() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let sent = (0..<4).map { _ in alice.person.message(to: "@" + bob.person.id.text) }
            for message in sent { _ = try await alice.client.send(message) }
            try await one.settle(with: other)
            let conversation = Conversation.between(alice.person.id, bob.person.id)
            let request = bob.person.request(
                .missing, of: alice.person, in: conversation, [try hash(sent[2])], runs: [2])
            try await bob.client.command("submit", ["object": .object(request)])
            try await eventually("the answer") { try !answers(bob).isEmpty }
            let answer = try #require(try answers(bob).first)
            #expect(answer.from == .node(other.id))
            #expect(try answer.messages.map(\.hash) == [hash(sent[1]), hash(sent[2])])
            #expect(answer.holes.isEmpty)
            // The author's device has not been asked.
            try await one.settle(with: other)
            #expect(alice.client.outbox.objects("message_request").isEmpty)
        }
    }

    @Test("what the journals lack goes on to the author's device; the answer and the message sealed again come back")
    func onwards() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let sent = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(sent)
            try await one.settle(with: other)
            let unknown = try #require(MessageHash(SHA256Digest.of([1])))
            let conversation = Conversation.between(alice.person.id, bob.person.id)
            for (number, reason) in [MessageRequest.Reason.missing, .unknownSession].enumerated() {
                let request = bob.person.request(
                    reason, of: alice.person, in: conversation, [try hash(sent), unknown], number: Int64(number + 1))
                try await bob.client.command("submit", ["object": .object(request)])
                try await one.settle(with: other)
                try await eventually("the request") {
                    alice.client.outbox.objects("message_request").count == number + 1
                }
                let came = try MessageRequest(alice.client.outbox.objects("message_request")[number])
                #expect(came.items.count == 2)
                // Of what only has to come once more the journal had one.
                #expect(came.left == (reason == .missing ? [Array(unknown.bytes.prefix(10))] : came.items))
                try KeyChecks.verify(
                    came.object, signedBy: bob.person.deviceKey.publicKey.bytes, purpose: .reseal)
            }
            let answer = alice.person.deviceKey.signed(
                MessageAnswer.unsigned(
                    from: alice.person.party, to: bob.person.address, author: alice.person.address,
                    holes: [Array(unknown.bytes.prefix(10)): .gone], at: TestTime.start), purpose: .reseal)
            try await alice.client.command("submit", ["object": .object(answer)])
            let resealed = alice.person.deviceKey.signed(
                ResealedMessage.unsealed(
                    try hash(sent), from: alice.person.address, to: bob.person.address, via: nil,
                    encryption: Message.Encryption(keyID: "k", nonce: [UInt8](repeating: 0, count: 12), header: []),
                    at: TestTime.start
                ).setting("content", ["ciphertext": "AAAA"]), purpose: .reseal)
            try await alice.client.command("submit", ["object": .object(resealed)])
            try await one.settle(with: other)
            try await eventually("both") {
                try bob.client.outbox.objects("resealed").count == 1
                    && answers(bob).contains { $0.from == alice.person.party }
            }
        }
    }

    @Test("an author's device that is gone is an answer")
    func deviceGone() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            try await one.settle(with: other)
            let stranger = try Person("alice", at: one.id)
            let unknown = try #require(MessageHash(SHA256Digest.of([1])))
            let request = bob.person.request(
                .keyGone, of: stranger, in: .between(alice.person.id, bob.person.id), [unknown])
            try await bob.client.command("submit", ["object": .object(request)])
            try await one.settle(with: other)
            try await eventually("the answer") {
                try answers(bob).contains { $0.holes == [Array(unknown.bytes.prefix(10)): .deviceGone] }
            }
        }
    }

    @Test("what was taken back is a hole that says so; what was written before a member came is not for it")
    func holes() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
            let early = alice.person.message(to: "#general", at: one.id)
            _ = try await alice.client.send(early)
            try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
            try await one.settle(with: other)
            let late = (0..<2).map { _ in alice.person.message(to: "#general", at: one.id) }
            for message in late { _ = try await alice.client.send(message) }
            try await one.settle(with: other)
            try await alice.client.command(
                "delete_messages", ["deletion": .object(try alice.person.deletion([late[0]]))])
            try await one.settle(with: other)
            let channel = Conversation.channel(ChannelID(name: try ChannelName("#general"), node: one.id))
            let request = bob.person.request(
                .missing, of: alice.person, in: channel, [try hash(early), try hash(late[0])])
            try await bob.client.command("submit", ["object": .object(request)])
            try await one.settle(with: other)
            var holes: [[UInt8]: HoleReason] = [:]
            try await eventually("the answers") {
                holes = try answers(bob).reduce(into: [:]) { $0.merge($1.holes) { first, _ in first } }
                return holes.count == 2
            }
            #expect(try holes[Array(hash(late[0]).bytes.prefix(10))] == .deleted)
            #expect(try holes[Array(hash(early).bytes.prefix(10))] == .notAllowed)
        }
    }

    @Test("a request in another's name goes nowhere")
    func forged() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let eve = try await other.enrol("eve")
            let sent = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(sent)
            try await one.settle(with: other)
            let conversation = Conversation.between(alice.person.id, bob.person.id)
            let signed = bob.person.request(.missing, of: alice.person, in: conversation, [try hash(sent)])
            let unsigned = bob.person.request(
                .missing, of: alice.person, in: conversation, [try hash(sent)], signedBy: eve.person)
            for (request, code) in [(signed, ErrorCode.insufficientPermissions), (unsigned, .insufficientPermissions)] {
                let error = try await refusal { try await eve.client.command("submit", ["object": .object(request)]) }
                #expect(error.code == code)
            }
            let error = try await refusal { try await bob.client.command("submit", ["object": .object(unsigned)]) }
            #expect(error.code == .invalidCredentials)
            #expect(try answers(bob).isEmpty && answers(eve).isEmpty)
        }
    }

    // MARK: Rotations

    @Test(
        "of two rotations after one epoch the first at the channel's node counts; the other goes on marked")
    func rotations() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let id = ChannelID(name: try ChannelName("#general"), node: one.id)
            let membership = try Membership(try #require(alice.client.outbox.objects("membership").last))
            let epoch = alice.person.epoch(for: membership, wrapping: [bob.person])
            try await alice.client.command("submit", ["object": .object(epoch)])
            try await one.settle(with: other)
            let head = try EpochStart(epoch).name
            let members = [alice.person, bob.person]
            // bob's is under way when alice's comes to the node.
            let his = bob.person.rotation(after: head, 1, in: id, version: 2, members: members)
            try await bob.client.command("submit", ["object": .object(his)])
            let hers = alice.person.rotation(after: head, 1, in: id, version: 2, members: members)
            try await alice.client.command("submit", ["object": .object(hers)])
            try await one.settle(with: other)
            func rotations(_ someone: Enrolled) throws -> [EpochStart] {
                try someone.client.outbox.objects("epoch").map { try EpochStart($0) }.filter { $0.rotation != nil }
            }
            try await eventually("each other's") { try rotations(alice).count == 1 && rotations(bob).count == 1 }
            #expect(try rotations(alice).map(\.isSide) == [true])
            #expect(try rotations(bob).map(\.isSide) == [false])
            #expect(try rotations(bob).first?.name == EpochStart(hers).name)
            #expect(try rotations(bob).first?.wraps.map(\.userID) == [bob.person.id])
            // What follows the side epoch is a side epoch, too.
            let next = bob.person.rotation(
                after: try EpochStart(his).name, 2, in: id, version: 2, members: members)
            try await bob.client.command("submit", ["object": .object(next)])
            try await one.settle(with: other)
            try await eventually("the next one") { try rotations(alice).count == 2 }
            #expect(try rotations(alice).last?.isSide == true)
        }
    }

    @Test("a rotation is a member's and for the members that there are")
    func strangers() async throws {
        try await TestNode.with { node in
            let (alice, eve) = (try await node.enrol("alice"), try await node.enrol("eve"))
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: node.id)
            let id = ChannelID(name: try ChannelName("#general"), node: node.id)
            let head = SHA256Digest.of([1])
            for (person, members) in [
                (eve.person, [alice.person]), (alice.person, [alice.person, eve.person]),
            ] {
                let client = person.id == eve.person.id ? eve.client : alice.client
                let start = person.rotation(after: head, 1, in: id, version: 1, members: members)
                let error = try await refusal { try await client.command("submit", ["object": .object(start)]) }
                #expect(error.code == .insufficientPermissions)
            }
        }
    }

    @Test("a member gets the pre-keys that have changed since it asked last, also those of other sites")
    func memberKeys() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let id = ChannelID(name: try ChannelName("#general"), node: one.id)
            func ask(_ after: Int64) async throws -> MemberKeys {
                let before = alice.client.outbox.objects("member_keys").count
                let question = MemberKeys(channel: id, version: 2, to: alice.person.party, keys: [], after: after)
                try await alice.client.command("submit", ["object": .object(question.object)])
                try await eventually("the keys") { alice.client.outbox.objects("member_keys").count > before }
                guard
                    case .memberKeys(let keys) = try ProtocolObject(
                        try #require(alice.client.outbox.objects("member_keys").last))
                else { throw NeverHappened(what: "keys") }
                return keys
            }
            let first = try await ask(0)
            #expect(first.keys.map(\.preKey.object) == [bob.person.signedPreKey()])
            let mark = try #require(first.upTo)
            #expect(try await ask(mark).keys.isEmpty)
            let newer = bob.person.keys().setting("signed_pre_key", .object(bob.person.signedPreKey(2)))
            try await bob.client.command("publish_keys", newer)
            try await one.settle(with: other)
            let second = try await ask(mark)
            #expect(second.keys.map(\.preKey.object) == [bob.person.signedPreKey(2)])
            #expect(try #require(second.upTo) > mark)
        }
    }
}
