import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// The bounds of docs/protocol.md, section 4.2, at their edges.
@Suite("Kept keys of the ratchet (E2E-12)") struct RatchetLimitTests {
    @Test("a message that skips 2,000 positions is read, one that skips 2,001 is refused and changes nothing")
    func skipInChain() throws {
        var pair = try RatchetPair(seed: 1)
        _ = try pair.bob.read(try pair.alice.send([0]), from: pair.random)
        for _ in 0..<2_000 { _ = try pair.alice.send([1]) }
        let edge = try pair.alice.send([2])
        let beyond = try pair.alice.send([3])
        let before = pair.bob
        #expect(throws: CryptoError.tooFarAhead) { try pair.bob.read(beyond, from: pair.random) }
        #expect(pair.bob == before)
        #expect(try pair.bob.read(edge, from: pair.random) == [2])
        #expect(pair.bob.skippedCount == 2_000)
        #expect(try pair.bob.read(beyond, from: pair.random) == [3])
    }

    @Test("a new chain may leave 2,000 messages of the old one behind, and not 2,001", arguments: [2_000, 2_001])
    func skipAtTurn(_ lost: Int) throws {
        var pair = try RatchetPair(seed: 2)
        _ = try pair.bob.read(try pair.alice.send([0]), from: pair.random)
        let answer = try pair.bob.send([1])
        for _ in 0..<lost { _ = try pair.alice.send([2]) }
        _ = try pair.alice.read(answer, from: pair.random)
        let turned = try pair.alice.send([3])
        #expect(turned.header.previousCount == UInt32(lost + 1))
        let before = pair.bob
        if lost == 2_000 {
            #expect(try pair.bob.read(turned, from: pair.random) == [3])
            #expect(pair.bob.skippedCount == 2_000)
        } else {
            #expect(throws: CryptoError.tooFarAhead) { try pair.bob.read(turned, from: pair.random) }
            #expect(pair.bob == before)
        }
    }

    @Test("a chain keeps 2,000 skipped keys, and the oldest goes first")
    func keysInChain() throws {
        var pair = try RatchetPair(seed: 3)
        let first = try pair.alice.send([0])
        let second = try pair.alice.send([1])
        for _ in 0..<1_998 { _ = try pair.alice.send([2]) }
        _ = try pair.bob.read(try pair.alice.send([3]), from: pair.random)
        #expect(pair.bob.skippedCount == 2_000)
        _ = try pair.alice.send([4])
        _ = try pair.bob.read(try pair.alice.send([5]), from: pair.random)
        #expect(pair.bob.skippedCount == 2_000)
        #expect(throws: CryptoError.keyGone) { try pair.bob.read(first, from: pair.random) }
        #expect(try pair.bob.read(second, from: pair.random) == [1])
        #expect(try RatchetState(decoding: pair.bob.encoded()) == pair.bob)
    }

    @Test("skipped keys of five chains are kept, and those of the oldest chain go first")
    func chains() throws {
        var pair = try RatchetPair(seed: 4)
        var late: [RatchetMessage] = []
        for turn in UInt8(0)..<6 {
            late.append(try pair.alice.send([turn]))
            _ = try pair.bob.read(try pair.alice.send([0xFF]), from: pair.random)
            _ = try pair.alice.read(try pair.bob.send([0xFF]), from: pair.random)
        }
        #expect(pair.bob.skippedCount == 5)
        let before = pair.bob
        #expect(throws: CryptoError.self) { try pair.bob.read(late[0], from: pair.random) }
        #expect(pair.bob == before)
        for turn in UInt8(1)..<6 {
            #expect(try pair.bob.read(late[Int(turn)], from: pair.random) == [turn])
        }
        #expect(pair.bob.skippedCount == 0)
    }

    @Test("a stored form with more keys or chains than are ever kept is refused")
    func storedLimits() throws {
        func keys(_ count: Int) -> [UInt8] {
            var writer = ByteWriter()
            writer.append(bigEndian: UInt16(count))
            for position in 0..<count {
                writer.append(bigEndian: UInt64(position))
                writer.append([UInt8](repeating: 0, count: 32))
            }
            return writer.bytes
        }
        var inside = ByteReader(keys(2_000))
        #expect(try SkippedKeys(from: &inside).count == 2_000)
        var outside = ByteReader(keys(2_001))
        #expect(throws: CryptoError.malformed) { try SkippedKeys(from: &outside) }
        var twice = ByteReader([0, 2] + keys(1).dropFirst(2) + keys(1).dropFirst(2))
        #expect(throws: CryptoError.malformed) { try SkippedKeys(from: &twice) }

        let empty = try RatchetPair(seed: 5).bob.encoded()
        #expect(empty.last == 0)
        let chain = [UInt8](repeating: 1, count: 32) + [0, 0]
        func chains(_ count: Int) -> [UInt8] {
            Array(empty.prefix(empty.count - 1)) + [UInt8(count)] + (0..<count).flatMap { _ in chain }
        }
        #expect(try RatchetState(decoding: chains(5)).skipped.count == 5)
        #expect(throws: CryptoError.malformed) { try RatchetState(decoding: chains(6)) }
    }
}
