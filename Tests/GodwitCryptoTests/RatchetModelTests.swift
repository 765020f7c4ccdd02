import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// What a receiver should be able to read, told by chains and positions alone, without any keys.
private struct ReceiverModel {
    private var current: AgreementPublicKey?
    private var next: UInt64 = 0
    private var seen: Set<AgreementPublicKey> = []
    private var kept: [(chain: AgreementPublicKey, positions: Set<UInt64>)] = []

    mutating func accepts(_ message: RatchetMessage) -> Bool {
        let chain = message.header.ratchetKey
        let position = message.nonce.position
        if let index = kept.firstIndex(where: { $0.chain == chain }), kept[index].positions.remove(position) != nil {
            if kept[index].positions.isEmpty { kept.remove(at: index) }
            return true
        }
        if chain != current {
            guard seen.insert(chain).inserted else { return false }
            if current != nil { skip(to: UInt64(message.header.previousCount)) }
            current = chain
            next = 0
        }
        guard position >= next else { return false }
        skip(to: position)
        next = position + 1
        return true
    }

    private mutating func skip(to target: UInt64) {
        guard let current, target > next else { return }
        if let index = kept.firstIndex(where: { $0.chain == current }) {
            kept[index].positions.formUnion(next..<target)
        } else {
            kept.append((current, Set(next..<target)))
            if kept.count > 5 { kept.removeFirst() }
        }
        next = target
    }

    var keptCount: Int { kept.reduce(0) { $0 + $1.positions.count } }
}

/// One side: its ratchet, the model of what it can read, and what is on the way to it.
private struct Side {
    var ratchet: RatchetState
    var model = ReceiverModel()
    var flying: [(message: RatchetMessage, text: [UInt8])] = []
}

@Suite struct RatchetModelTests {
    @Test("under seeded reordering, loss and repetition exactly what the model allows is read", arguments: 1...8)
    func faults(_ seed: Int) throws {
        let pair = try RatchetPair(seed: UInt64(seed))
        let random = SeededRandom(UInt64(seed) &* 7_919)
        var sides = [Side(ratchet: pair.alice), Side(ratchet: pair.bob)]
        var read = 0
        var refused = 0
        for step in 0..<1_500 {
            let own = random.below(2)
            if random.below(2) == 0, sides[own].ratchet.canSend {
                let text = Array("\(step)".utf8)
                let message = try sides[own].ratchet.send(text)
                if random.below(100) >= 8 { sides[1 - own].flying.append((message, text)) }
                continue
            }
            guard !sides[own].flying.isEmpty else { continue }
            let index = random.below(min(sides[own].flying.count, 40))
            let (message, text) = sides[own].flying[index]
            if random.below(100) >= 10 { sides[own].flying.remove(at: index) }
            let before = sides[own].ratchet
            if sides[own].model.accepts(message) {
                #expect(try sides[own].ratchet.read(message, from: pair.random) == text)
                read += 1
            } else {
                #expect(throws: CryptoError.self) { try sides[own].ratchet.read(message, from: pair.random) }
                #expect(sides[own].ratchet == before)
                refused += 1
            }
            #expect(sides[own].ratchet.skippedCount == sides[own].model.keptCount)
            if random.below(20) == 0 {
                sides[own].ratchet = try RatchetState(decoding: sides[own].ratchet.encoded())
            }
        }
        // The run would prove nothing if faults or deliveries were missing from it.
        #expect(read > 300)
        #expect(refused > 10)
    }
}
