import GodwitLink
import Testing

@testable import GodwitCarrier

/// Several exchanges on one line (docs/protocol.md §8.3: together never above the rate of the line).
@Suite struct SharedPaceTests {
    private final class Sender: Sendable {}

    @Test("senders together never exceed the rate, and those that wait take turns", arguments: [2, 3, 7])
    func turns(count: Int) {
        let pace = SharedPace(bytesPerSecond: 1_000)
        let senders = (0..<count).map { _ in Sender() }
        var sent = Array(repeating: 0, count: count)
        var random = SeededGenerator(seed: UInt64(count))
        var now = Duration.zero
        var total = 0
        let end = Duration.seconds(60)
        while now < end {
            // Everybody has something to send and looks as soon as it may, in any order.
            for index in senders.indices.shuffled(using: &random) {
                let id = ObjectIdentifier(senders[index])
                if pace.freeAt(for: id) <= now {
                    let size = Int.random(in: 50...150, using: &random)
                    pace.charge(size, to: id, at: now)
                    sent[index] += 1
                    total += size
                    #expect(Double(total - size) <= now.inSeconds * 1_000 + 0.001)
                }
                pace.note(id, isWaiting: true)
            }
            now += .milliseconds(1)
        }
        #expect((sent.max() ?? 0) - (sent.min() ?? 0) <= 1, "\(sent)")
        #expect(total > 50_000, "the line is kept busy")
    }

    @Test("one that is gone, or has nothing more to send, holds nobody up")
    func forgets() {
        let pace = SharedPace(bytesPerSecond: 1_000)
        let (one, other) = (Sender(), Sender())
        pace.charge(100, to: ObjectIdentifier(one), at: .zero)
        pace.note(ObjectIdentifier(other), isWaiting: true)
        let free = Duration.milliseconds(100)
        #expect(pace.freeAt(for: ObjectIdentifier(other)) == free)
        #expect(pace.freeAt(for: ObjectIdentifier(one)) == free + SharedPace.courtesy)
        pace.note(ObjectIdentifier(other), isWaiting: false)
        #expect(pace.freeAt(for: ObjectIdentifier(one)) == free)
        pace.note(ObjectIdentifier(other), isWaiting: true)
        pace.forget(ObjectIdentifier(other))
        #expect(pace.freeAt(for: ObjectIdentifier(one)) == free)
    }
}
