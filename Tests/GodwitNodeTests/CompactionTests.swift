import GRDB
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What a newer item makes needless vanishes from the queue, and nothing else (issue 3, "Compaction").
@Suite("Compaction")
struct CompactionTests {
    /// One node that sends and one that takes, with users whose lists change.
    private struct Course {
        let source: TestNode
        let sink: TestNode
        let core: NodeCore
        let bob: Person
        var users: [[Person]] = []
        /// Indices of the devices on each user's list.
        var listed: [Set<Int>] = []
        var versions: [Int64] = []
        var sent = 0

        init(compacts: Bool) async throws {
            (source, sink) = (try await TestNode(name: "source"), try await TestNode(name: "sink"))
            try await source.add(sink)
            try await sink.add(source)
            var context = source.node.core.context
            context.compacts = compacts
            let old = source.node.core
            core = NodeCore(
                spool: old.spool, context: context, time: old.time, aftermath: old.aftermath, logger: old.logger,
                gate: old.gate)
            let bob = try Person("bob", at: sink.id)
            self.bob = bob
            try await sink.node.core.write { transaction in
                try transaction.register(IdentityFile(bob.identityFile()))
                try transaction.introduce(
                    bob.id, publicKey: bob.identityKey.publicKey.bytes, list: DeviceList(bob.deviceList()))
                _ = try transaction.publish(SignedPreKey(bob.signedPreKey()), oneTime: [], of: bob.id, bob.device)
            }
            for user in 0..<3 {
                users.append(try (0..<4).map { _ in try Person("user-\(user)", at: source.id) })
                listed.append([0])
                versions.append(0)
                try await list(user)
            }
        }

        func remove() {
            source.remove()
            sink.remove()
        }

        mutating func list(_ user: Int) async throws {
            versions[user] += 1
            let owner = users[user][0]
            let others = listed[user].subtracting([0]).sorted().map { users[user][$0] }
            let list = try DeviceList(owner.deviceList(version: versions[user], with: others))
            try await core.write {
                try $0.introduce(owner.id, publicKey: owner.identityKey.publicKey.bytes, list: list)
            }
        }

        mutating func message(_ user: Int, _ device: Int) async throws {
            sent += 1
            let author = users[user][device]
            let message = try Message(author.message(to: "@" + bob.id.text))
            try await core.write {
                _ = try $0.accept(message, from: author.party, arrival: .spooled(age: 0))
            }
        }

        func receipt(_ user: Int, _ state: Receipt.State, _ items: Set<UInt8>) async throws {
            let receipt = Receipt(
                state: state, items: items.sorted().map { [UInt8](repeating: $0, count: 10) }, to: bob.party,
                from: users[user][0].party, at: TestTime.start)
            try await core.write { try $0.forward(receipt.object, toDevice: receipt.to, kind: .receipt) }
        }

        func lookUp(_ user: Int, at: Int64) async throws {
            let lookup = UserLookup(
                userID: bob.id, requestingNode: source.id, requester: users[user][0].party,
                at: TestTime.start.adding(milliseconds: at))
            try await core.write { try $0.dispatch(.lookup(lookup), from: lookup.requester) }
        }

        /// A frame is built, and lost on the way.
        func lose() async throws {
            let key = PeerKey(party: .node(sink.id), noiseKey: sink.node.home.noiseKey.publicKey)
            let (outlet, limits) = await source.node.links.outlet(for: key.party)
            _ = try await outlet.next(to: key, limits)
        }

        /// A step that depends on nothing but the numbers drawn.
        mutating func step(_ draw: [Int]) async throws {
            let user = draw[1] % 3
            switch draw[0] {
            case 0...2:
                let device = 1 + draw[2] % 3
                if listed[user].contains(device) { listed[user].remove(device) } else { listed[user].insert(device) }
                try await list(user)
            case 3...5:
                let devices = listed[user].sorted()
                try await message(user, devices[draw[2] % devices.count])
            case 6...7:
                let states: [Receipt.State] = [.accepted, .forwarded, .delivered]
                try await receipt(user, states[draw[2] % 3], Set((0...draw[3] % 4).map { UInt8($0) }))
            case 8: try await lookUp(user, at: Int64(draw[2]))
            case 9: try await lose()
            default: if draw[2] % 3 == 0 { try await source.contact(sink) }
            }
        }

        /// What the sink knows in the end, by the places of persons instead of their names.
        func outcome() async throws -> [String] {
            for _ in 0..<4 { try await source.contact(sink) }
            var lines: [String] = []
            for (place, devices) in users.enumerated() {
                let known = try await sink.node.core.read { try $0.user(devices[0].id) }
                let list = known?.deviceList?.devices.map(\.device) ?? []
                let places = devices.indices.filter { list.contains(devices[$0].device) }
                lines.append("user \(place): version \(known?.listVersion ?? 0), devices \(places)")
                lines += try await receipts(from: devices[0].party).map { "receipts \(place): \($0)" }
                let answered = try await sink.queue(for: .node(source.id)) + source.queue(for: devices[0].party)
                let results = answered.contains {
                    $0["type"]?.string == "user_lookup_result" && $0["requester"]?.string == devices[0].party.text
                }
                lines.append("looked up \(place): \(results)")
            }
            lines.append("messages \(try await sink.count("node_message")) of \(sent)")
            lines.append("held \(try await sink.count("node_held"))")
            return lines
        }

        /// By item the most that was said of it.
        private func receipts(from reader: Party) async throws -> [String] {
            let ways: [Receipt.State] = [.accepted, .forwarded, .delivered]
            var said: [UInt8: Int] = [:]
            for object in try await sink.queue(for: bob.party) where object["from"]?.string == reader.text {
                guard case .receipt(let receipt)? = try? ProtocolObject(object) else { continue }
                for item in receipt.items {
                    said[item[0]] = max(said[item[0]] ?? 0, ways.firstIndex(of: receipt.state) ?? 0)
                }
            }
            return said.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        }

        var superseded: Int {
            get async throws {
                try await source.node.core.read {
                    Int(try $0.row("SELECT count(*) AS n FROM spool_arrival WHERE successor IS NOT NULL")?["n"] ?? 0)
                }
            }
        }
    }

    @Test(
        "the receiver ends in the same state with and without it, over any course",
        arguments: 1...8 as ClosedRange<UInt64>)
    func model(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let draws = (0..<70).map { _ in (0..<4).map { _ in Int.random(in: 0...10, using: &random) } }
        var outcomes: [[String]] = []
        for compacts in [true, false] {
            var course = try await Course(compacts: compacts)
            for draw in draws { try await course.step(draw) }
            outcomes.append(try await course.outcome())
            #expect(try await (course.superseded > 0) == compacts)
            let verification = try await course.source.node.core.spool.verify()
            #expect(verification.isSound)
            course.remove()
        }
        #expect(outcomes[0] == outcomes[1])
    }

    @Test("a newer list goes in the place of the older, before what waits behind that; in a frame nothing changes")
    func inPlace() async throws {
        var course = try await Course(compacts: true)
        let party = Party.node(course.sink.id)
        try await course.message(0, 0)
        course.listed[0].insert(1)
        try await course.list(0)
        try await course.message(0, 1)
        let queue = try await course.source.queue(for: party)
        #expect(queue.map { $0["type"]?.string } == ["introduction", "text", "text"])
        #expect(queue[0]["device_list"]?.object?["version"]?.integer == 2)
        let gone = try await course.source.node.core.spool.read { transaction in
            try transaction.ids(beginning: []).flatMap { try transaction.departures(of: $0) }
        }
        #expect(gone.count == 1 && gone[0].successor != nil && gone[0].at == course.source.time.now())
        try await course.lose()
        course.listed[0].insert(2)
        try await course.list(0)
        try await course.message(0, 2)
        let after = try await course.source.queue(for: party)
        #expect(after.count == 5 && after[0] == queue[0])
        course.remove()
    }

    @Test("a list that lacks a device of the older one does not replace it: what waits may be that device's")
    func revocation() async throws {
        var course = try await Course(compacts: true)
        course.listed[0].insert(1)
        try await course.list(0)
        try await course.message(0, 1)
        course.listed[0].remove(1)
        try await course.list(0)
        try await course.message(0, 0)
        let queue = try await course.source.queue(for: .node(course.sink.id))
        #expect(queue.count { $0["type"]?.string == "introduction" } == 2)
        #expect(try await course.superseded == 0)
        course.remove()
    }

    @Test("the table of what is newest does not outgrow the queue")
    func swept() async throws {
        let course = try await Course(compacts: true)
        for turn in 0..<200 {
            let item = UInt8(turn % 250)
            let reader = try Person("reader-\(turn)", at: course.source.id)
            let receipt = Receipt(
                state: .delivered, items: [[UInt8](repeating: item, count: 10)], to: course.bob.party,
                from: reader.party, at: TestTime.start)
            try await course.core.write { try $0.forward(receipt.object, toDevice: receipt.to, kind: .receipt) }
            if turn % 20 == 19 { try await course.source.contact(course.sink) }
        }
        #expect(try await course.source.count("node_latest") <= 60)
        course.remove()
    }
}
