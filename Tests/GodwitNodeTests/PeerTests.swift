import GRDB
import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Peers: descriptors, pinned keys, blocking (FED-02, D-17; issue 2: unknown peer, a batch for someone else).
@Suite("Peers")
struct PeerTests {
    private static func pair(_ body: (TestNode, TestNode) async throws -> Void) async throws {
        try await TestNode.with { one in try await TestNode.with { try await body(one, $0) } }
    }

    @Test(
        "a descriptor that was altered, whose id does not follow from its key, or that is one's own is refused (D-17)")
    func descriptors() async throws {
        try await Self.pair { one, other in
            let good = other.node.home.descriptor.object
            let key = other.node.home.signingKey
            let bad = [
                good.setting("name", "Another"),
                key.signed(good.setting("id", "aaaaaaaa"), purpose: .descriptor),
                one.node.home.descriptor.object,
            ]
            for descriptor in bad {
                let error = try await refusal {
                    try await one.control(["request": "add_peer", "descriptor": .object(descriptor)])
                }
                #expect(error.code == .invalidCredentials)
            }
            #expect(try await one.count("node_peer") == 0)
            try await one.add(other)
            #expect(try await one.count("node_peer") == 1)
        }
    }

    @Test("a second key for a known node is refused, and so is an older descriptor; a newer one is taken (D-17)")
    func pinned() async throws {
        try await Self.pair { one, other in
            let home = other.node.home
            let newer = home.signingKey.signed(
                home.descriptor.object.setting("seq", 2).setting("name", "Renamed"), purpose: .descriptor)
            _ = try await one.control(["request": "add_peer", "descriptor": .object(newer)])
            let old = try await refusal { try await one.add(other) }
            #expect(old.code == .invalidMessageFormat)
            // A key whose id happens to be the same cannot be made here: the pin is put in its place.
            let party = other.id.text
            try await one.node.core.write {
                try $0.run(
                    "UPDATE node_peer SET public_key = zeroblob(32) WHERE node = ?", [party])
            }
            let forged = try await refusal {
                try await one.control(["request": "add_peer", "descriptor": .object(newer)])
            }
            #expect(forged.code == .invalidCredentials && forged.hint != nil)
        }
    }

    @Test("a serial line and an order of the ways are kept with the peer, and checked; the node's lines are told")
    func ways() async throws {
        try await Self.pair { one, other in
            let home = other.node.home
            let silent = home.signingKey.signed(
                home.descriptor.object.setting("endpoints", []), purpose: .descriptor)
            let line = "serial:///dev/ttyUSB0?baud=2400"
            func add(_ more: JSONObject) async throws -> JSONObject {
                let request = more.setting("request", "add_peer").setting("descriptor", .object(silent))
                return try await one.control(request).object ?? [:]
            }
            for bad: JSONObject in [
                ["serial": "/dev/ttyUSB0"], ["serial": "serial:///dev/ttyUSB0?baud=2401"], ["order": "pigeon"],
                ["order": "https://elsewhere"],
            ] {
                #expect(try await refusal { _ = try await add(bad) }.code == .invalidMessageFormat)
            }
            let added = try await add(["serial": .string(line), "order": "udp,serial"])
            #expect(added["calls"]?.bool == true, "a line is a way to call")
            let peer = try await one.node.core.read { try $0.peers() }[0]
            #expect(peer.serial?.text == line && peer.order == ["udp", "serial"])
            let listed = try await one.control(["request": "peers"]).array?.first?.object
            #expect(listed?["serial"]?.string == line)
            #expect(listed?["order"]?.array?.compactMap(\.string) == ["udp", "serial"])
            // Whole, as an order to the node is: what is not named is gone.
            _ = try await add([:])
            #expect(try await one.node.core.read { try $0.peers() }[0].serial == nil)
        }
    }

    @Test("a peer without an endpoint cannot be called, an unknown profile and an unknown trust are refused")
    func requests() async throws {
        try await Self.pair { one, other in
            let home = other.node.home
            let silent = home.signingKey.signed(
                home.descriptor.object.setting("endpoints", []), purpose: .descriptor)
            let cases: [JSONObject] = [
                ["request": "add_peer", "descriptor": .object(silent), "calls": true],
                ["request": "add_peer", "descriptor": .object(silent), "profile": "carrier-pigeon"],
                ["request": "add_peer", "descriptor": .object(silent), "trust": "absolute"],
                ["request": "add_peer"], ["request": "dance"], [:],
            ]
            for request in cases {
                #expect(try await refusal { try await one.control(request) }.code == .invalidMessageFormat)
            }
            _ = try await one.control(["request": "add_peer", "descriptor": .object(silent)])
            #expect(try await one.control(["request": "peers"]).array?.first?.object?["calls"]?.bool == false)
        }
    }

    @Test("a blocked peer is neither written to nor heard")
    func blocked() async throws {
        try await Self.pair { one, other in
            try await one.add(other)
            try await other.add(one)
            let (alice, client) = try await one.enrol("alice")
            let (bob, b) = try await other.enrol("bob")
            _ = try await b.send(bob.message(to: "@" + alice.id.text))
            try await other.contact(one)
            try await eventually("the first message") { client.outbox.messages.count == 1 }
            try await one.add(other, trust: .blocked)
            let error = try await refusal { try await client.send(alice.message(to: "@" + bob.id.text)) }
            #expect(error.code == .insufficientPermissions)
            _ = try await b.send(bob.message(to: "@" + alice.id.text))
            #expect(try await refusal { try await other.contact(one) }.code == .invalidCredentials)
            #expect(client.outbox.messages.count == 1)
            try await one.add(other)
            try await other.settle(with: one)
            try await eventually("the second message") { client.outbox.messages.count == 2 }
        }
    }

    @Test("a frame by a node that is no peer here is refused with 1000 and nothing is written (FED-04)")
    func stranger() async throws {
        try await Self.pair { one, other in
            try await one.add(other)
            let (alice, client) = try await one.enrol("alice")
            let (bob, _) = try await other.enrol("bob")
            _ = try await client.send(alice.message(to: "@" + bob.id.text))
            #expect(try await refusal { try await one.contact(other) }.code == .invalidCredentials)
            #expect(try await other.count("node_message") == 0)
            try await other.add(one)
            try await one.contact(other)
            #expect(try await other.count("node_message") == 1)
        }
    }

    @Test("frames carried by hand: exported, imported twice, acknowledged by what is carried back")
    func byHand() async throws {
        try await Self.pair { one, other in
            try await one.add(other)
            try await other.add(one)
            let (alice, client) = try await one.enrol("alice")
            let (bob, b) = try await other.enrol("bob")
            for _ in 0..<3 { _ = try await client.send(alice.message(to: "@" + bob.id.text)) }
            let out = try await one.control(["request": "export", "to": .string(other.id.text)]).object
            #expect(out?["frames"]?.integer == 1 && out?["left"]?.bool == false)
            let records = out?["records"] ?? .null
            let first = try await other.control(["request": "import", "records": records]).object
            #expect(first?["items"]?.integer == 4 && first?["refused_frames"]?.integer == 0)
            let second = try await other.control(["request": "import", "records": records]).object
            #expect(second?["items"]?.integer == 0 && second?["repeated_frames"]?.integer == 1)
            try await eventually("three messages") { b.outbox.messages.count == 3 }
            let back = try await other.control(["request": "export", "to": .string(one.id.text)]).object
            let released = try await one.control(["request": "import", "records": back?["records"] ?? .null]).object
            #expect(released?["released"]?.integer == 4)
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            // Those that are for somebody else are counted, and the rest is taken.
            let foreign = try await one.control(["request": "import", "records": records]).object
            #expect(foreign?["refused_frames"]?.integer == 2)
            let unknown = try await refusal { try await one.control(["request": "export", "to": "aaaaaaaa"]) }
            #expect(unknown.code == .nodeUnreachable)
        }
    }

    @Test("the operator sees users, channels, links, queues and a sound spool")
    func status() async throws {
        try await Self.pair { one, other in
            try await one.add(other)
            let people = try await ChannelTests.channel(of: ["alice", "bob"], on: one)
            _ = try await people[0].client.send(people[0].person.message(to: "@\(other.id.text).carol"))
            let status = try await one.control(["request": "status"]).object
            #expect(status?["users"]?.integer == 2 && status?["channels"]?.integer == 1)
            #expect(status?["messages"]?.integer == 1 && status?["peers"]?.integer == 1)
            #expect(status?["arrived_bytes"]?.integer == 0, "alice is at home here")
            #expect(status?["sockets"]?.integer == 2 && status?["id"]?.string == one.id.text)
            let queues = status?["queues"]?.array?.compactMap { $0.object?["destination"]?.string } ?? []
            #expect(queues.contains(other.id.text))
            let channels = try await one.control(["request": "channels"]).array
            #expect(channels?.first?.object?["member_count"]?.integer == 2)
            #expect(try await one.control(["request": "users"]).array?.count == 2)
            let link = try await one.control(["request": "links"]).array?.first?.object
            #expect(link?["peer"]?.string == other.id.text && link?["phase"]?.string == "answers")
            let list = try await one.control([
                "request": "spool_list", "destination": .string(other.id.text),
            ]).array
            let item = try #require(list?.last?.object?["item"]?.string)
            #expect(list?.count == 2)
            let shown = try await one.control(["request": "spool_show", "item": .string(item)]).object
            #expect(shown?["copies"]?.array?.count == 1)
            #expect(try await one.control(["request": "spool_verify"]).object?["sound"]?.bool == true)
            #expect(try await one.control(["request": "contact", "node": .string(other.id.text)]).bool == false)
        }
    }

    @Test("a running node calls its peers by itself, and stops when it is told to")
    func running() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(
            name: "one", time: ManualTime(),
            carrier: { _, _ in
                InProcess(service: other.node.exchange)
            })
        try await one.add(other, calls: true)
        try await other.add(one)
        let (alice, client) = try await one.enrol("alice")
        let (bob, b) = try await other.enrol("bob")
        let running = Task { try await one.node.run() }
        let message = alice.message(to: "@" + bob.id.text)
        _ = try await client.send(message)
        try await eventually("the message") {
            one.time.advance(milliseconds: 1_000)
            _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
            return b.outbox.has([message])
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }
}
