import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Messages, epochs, requests and answers are lost, repeated and taken in any order; in the end everybody has read all
/// that is for them, once, and nothing is a hole.
@Suite("Requests and answers under loss, repetition and disorder (D-3, D-14)")
struct ResealModelTests {
    /// What a device may miss for good: the hop brings the rest, as frames do.
    private func mayBeLost(_ item: BatchItem) throws -> Bool {
        guard item.kind == .object else { return true }
        switch try ProtocolObject(parsing: item.body) {
        case .epoch(let start): return start.rotation != nil
        case .messageRequest, .messageAnswer, .resealed: return true
        default: return false
        }
    }

    /// How often each message that was sealed again was lost on its way to a device. Its author seals it three times and
    /// no more, so one that is lost three times has to end as a hole.
    private final class Losses {
        private var counts: [String: Int] = [:]

        func mayLose(_ item: BatchItem) throws -> Bool {
            guard item.kind == .object, case .resealed(let resealed) = try ProtocolObject(parsing: item.body) else {
                return true
            }
            let name = "\(resealed.item) \(resealed.to.party.text)"
            counts[name, default: 0] += 1
            return counts[name, default: 0] < 3
        }
    }

    private func carry(
        _ room: RotationTests.Room, losing percent: UInt64, _ losses: Losses, _ random: inout SeededRandom
    ) async throws {
        for device in room.devices.shuffled(using: &random) {
            for item in try await device.handOver() {
                if try mayBeLost(item), random.next() % 100 < percent, try losses.mayLose(item) { continue }
                try await room.hub.take(item, from: device.party)
            }
        }
        for device in room.devices {
            var later: [BatchItem] = []
            var items: [BatchItem] = []
            for item in await room.hub.drain(device.party) {
                guard try mayBeLost(item) else {
                    items.append(item)
                    continue
                }
                let fate = random.next() % 100
                if fate < percent, try losses.mayLose(item) { continue }
                if fate < 2 * percent { later.append(item) }
                items.append(item)
                if fate >= 100 - percent { items.append(item) }
            }
            // What is lost for nobody keeps its order, all else goes anywhere.
            var loose = try items.filter { try mayBeLost($0) }.shuffled(using: &random)
            let firm = try items.filter { try !mayBeLost($0) }
            var order: [BatchItem] = []
            for item in firm {
                while !loose.isEmpty, random.next() % 2 == 0 { order.append(loose.removeLast()) }
                order.append(item)
            }
            try await device.deliver(order + loose)
            for item in later { await room.hub.push(item, to: device.party) }
        }
    }

    @Test("everything is read by everybody in the end, once", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func converges(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let losses = Losses()
        let room = try await RotationTests.Room.make(4)
        await room.hub.setJournal(seed % 2 == 0)
        var written = Set<String>()
        var direct: [UserID: Set<String>] = [:]
        for step in 0..<40 {
            let author = Int(random.next() % 4)
            let text = "\(step) by \(author)"
            if random.next() % 3 == 0 {
                let reader = room.devices[(author + 1) % 4].userID
                try await room.devices[author].send(text: text, to: .user(reader))
                direct[reader, default: []].insert(text)
            } else {
                try await room.devices[author].send(text: text, to: .channel(room.id))
                written.insert(text)
            }
            if random.next() % 3 == 0 { try await carry(room, losing: 15, losses, &random) }
            if random.next() % 4 == 0 { try await room.pass(ClientTransaction.epochTime / 2) }
        }
        for _ in 0..<16 {
            try await room.hub.settle(room.devices)
            try await room.pass(ClientTransaction.askPatience * 2)
            // The newest of a chain may be the one that was lost: only another one after it shows that.
            for device in room.devices {
                try await device.send(text: "end", to: .channel(room.id))
                for reader in direct.keys where reader != device.userID {
                    try await device.send(text: "end", to: .user(reader))
                }
            }
            try await room.hub.settle(room.devices)
            var open = 0
            for device in room.devices {
                let status = try await device.status()
                open += status.wanted + status.held + status.pending
            }
            if open == 0 { break }
        }
        for device in room.devices {
            let shown = try await device.inbox(limit: 10_000).filter { $0.text != "end" }
            let texts = shown.map(\.text)
            let own = "by \(room.devices.firstIndex { $0.party == device.party } ?? 0)"
            let expected = written.filter { !$0.hasSuffix(own) }.union(direct[device.userID] ?? [])
            #expect(Set(texts) == expected)
            #expect(texts.count == expected.count)
            #expect(shown.allSatisfy { $0.hole == nil })
            let status = try await device.status()
            let left = try await device.store.read { transaction in
                try transaction.rows("SELECT reason, attempts FROM client_want").map { "\($0)" }
                    + transaction.rows("SELECT waits_for, kind FROM client_pending").map { "\($0)" }
            }
            #expect(status.wanted == 0 && status.held == 0 && status.pending == 0, "\(left)")
        }
    }
}
