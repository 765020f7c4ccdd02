import Glibc
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What a socket pushes out of a queue (docs/protocol.md §9.4).
@Suite("Pushing")
struct PushTests {
    /// Puts objects into a device's queue.
    private static func fill(
        _ node: TestNode, _ party: Party, _ numbers: Range<Int>, size: Int = 1
    ) async throws -> [Int64] {
        let now = node.time.now()
        return try await node.node.core.spool.write { transaction in
            try numbers.compactMap { number in
                let pad = String(repeating: "x", count: size)
                let body = (["n": .integer(Int64(number)), "pad": .string(pad)] as JSONObject).canonicalBytes()
                let outcome = try transaction.enqueue(
                    NewItem(
                        id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: party,
                        priority: number.isMultiple(of: 2) ? .bulk : .control, created: now,
                        lifetime: Message.defaultLifetime))
                guard case .accepted(let row, _) = outcome else { return nil }
                return row
            }
        }
    }

    private static func numbers(_ client: TestClient) -> [Int64] {
        client.outbox.events("object").compactMap { $0["object"]?.object?["n"]?.integer }
    }

    @Test(
        "what several write at a time reaches a socket in order, each once, handed on or read from the spool",
        arguments: [1, 2, 3, 4] as [UInt64])
    func together(_ seed: UInt64) async throws {
        try await TestNode.with { node in
            let (bob, client) = try await node.enrol("bob")
            let (party, core) = (bob.party, node.node.core)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        var random = SeededBits(seed &* 31 &+ UInt64(writer))
                        for number in 0..<75 {
                            // Some take the place of another, some are put there behind the node's back.
                            let object: JSONObject = ["n": .integer(Int64(writer * 100 + number)), "pad": "x"]
                            if UInt8.random(in: 0..<8, using: &random) == 0 {
                                _ = try await Self.fill(
                                    node, party, (1_000 + writer * 100 + number)..<(1_001 + writer * 100 + number))
                            } else {
                                try await core.write { try $0.enqueue(object, to: party) }
                            }
                            if UInt8.random(in: 0..<3, using: &random) == 0 {
                                try await Task.sleep(for: .milliseconds(2))
                            }
                        }
                    }
                }
                group.addTask {
                    var random = SeededBits(seed)
                    for _ in 0..<60 {
                        try await Task.sleep(for: .milliseconds(Int.random(in: 1...12, using: &random)))
                        if let last = client.outbox.events("object").last?["arrival"]?.integer {
                            try await client.received(last)
                        }
                    }
                }
                try await group.waitForAll()
            }
            // What was put there unnoticed goes with the next.
            try await core.write { try $0.enqueue(["n": 9_999, "pad": "x"], to: party) }
            try await eventually("all") {
                try await client.received(client.outbox.events("object").last?["arrival"]?.integer ?? 0)
                return Self.numbers(client).count == 301
            }
            let arrivals = client.outbox.events("object").compactMap { $0["arrival"]?.integer }
            #expect(arrivals == arrivals.sorted() && Set(arrivals).count == 301)
            #expect(Set(Self.numbers(client)).count == 301)
        }
    }

    @Test("what is at hand for a socket is all or nothing")
    func fresh() throws {
        let party = Party.node(try NodeID("elsewher"))
        func item(_ row: Int64, _ size: Int) -> FreshItem {
            FreshItem(
                destination: party, after: row - 1,
                item: SpoolBody(row: row, kind: .object, body: [UInt8](repeating: 0, count: size)))
        }
        let fresh = FreshItems()
        fresh.add([item(1, 10)])
        fresh.add([item(2, FreshItems.bytesMax - 10)])
        #expect(fresh.take().map(\.item.row) == [1, 2])
        fresh.add([item(3, 10), item(4, FreshItems.bytesMax - 9)])
        fresh.add([item(5, 1)])
        #expect(fresh.take().isEmpty)
        fresh.add([item(6, 1)])
        #expect(fresh.take().map(\.item.row) == [6])
        #expect(fresh.take().isEmpty)
    }

    @Test("more than a thousand items in frames do not hide those that wait")
    func behindFrames() async throws {
        try await TestNode.with { node in
            let (bob, client) = try await node.enrol("bob")
            await client.session.closed()
            let party = bob.party
            let rows = try await Self.fill(node, party, 0..<1_030)
            try await node.node.core.spool.write { transaction in
                for start in [0, 1_000] {
                    let items = Array(rows[start..<min(start + 1_000, 1_025)])
                    let number = try transaction.nextFrame(to: party)
                    try transaction.record(OutboundFrame(peer: party, number: number, bytes: [1], items: items))
                }
            }
            let again = await TestClient(node)
            try await again.prove(bob, at: node)
            try await eventually("the last five") { Self.numbers(again) == [1_025, 1_026, 1_027, 1_028, 1_029] }
        }
    }

    @Test("a body that is damaged on disk holds up nothing behind it")
    func damaged() async throws {
        let node = try await TestNode()
        let (bob, client) = try await node.enrol("bob")
        await client.session.closed()
        _ = try await Self.fill(node, bob.party, 0..<1, size: 40_000)
        let blobs = node.directory + "/spool/blobs"
        if let open = opendir(blobs) {
            while let entry = readdir(open) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                unlink(blobs + "/" + name)
            }
            closedir(open)
        }
        _ = try await Self.fill(node, bob.party, 1..<3)
        let again = await TestClient(node)
        try await again.prove(bob, at: node)
        try await eventually("those behind it") { Self.numbers(again) == [1, 2] }
        node.remove()
    }

    @Test("at most a mebibyte is under way; the rest follows when received")
    func bytes() async throws {
        try await TestNode.with { node in
            let (bob, client) = try await node.enrol("bob")
            await client.session.closed()
            _ = try await Self.fill(node, bob.party, 0..<30, size: 90_000)
            let again = await TestClient(node)
            try await again.prove(bob, at: node)
            try await eventually("a full window") { Self.numbers(again).count >= 11 }
            try await again.command("update_status", ["status": "online"])
            #expect(Self.numbers(again) == Array(0..<11))
            // A push may be under way when the client says `received`: it says so until all has come.
            try await eventually("all") {
                try await again.received(again.outbox.events("object").last?["arrival"]?.integer ?? 0)
                return Self.numbers(again) == Array(0..<30)
            }
        }
    }

    @Test("of what waits only bodies that fit are read, and one in any case")
    func limits() async throws {
        try await TestNode.with { node in
            let (bob, client) = try await node.enrol("bob")
            await client.session.closed()
            let party = bob.party
            let rows = try await Self.fill(node, party, 0..<6, size: 1_000)
            func read(after row: Int64, count: Int, bytes: Int) async throws -> [Int64] {
                try await node.node.core.spool.read {
                    try $0.waitingInOrder(for: party, after: row, count: count, bytes: ByteCount(bytes)).items.map(
                        \.row)
                }
            }
            #expect(try await read(after: 0, count: 10, bytes: 1) == [rows[0]])
            #expect(try await read(after: rows[0], count: 10, bytes: 3_100) == Array(rows[1..<4]))
            #expect(try await read(after: 0, count: 2, bytes: 1 << 20) == Array(rows[..<2]))
            #expect(try await read(after: rows[5], count: 2, bytes: 1 << 20).isEmpty)
        }
    }
}
