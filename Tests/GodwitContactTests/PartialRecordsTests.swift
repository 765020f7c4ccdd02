import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitContact

/// What is kept of broken exchanges, and for how long (docs/protocol.md §8.1, §11).
@Suite("The shelf of beginnings") struct PartialRecordsTests {
    private static func party(_ number: Int) throws -> Party {
        let digits = Array(String(number, radix: 36))
        return .node(try NodeID(String(repeating: "a", count: 8 - digits.count) + String(digits)))
    }
    private static func hint() throws -> FrameHint { try FrameHint([1, 2, 3, 4]) }

    private static func beginning(_ number: UInt64, _ count: Int, fill: UInt8 = 9) throws -> [UInt8] {
        let header = FrameHeader(hint: try hint(), incarnation: 5, number: number).bytes
        return header + [UInt8](repeating: fill, count: count - header.count)
    }

    private static func keep(
        _ records: inout PartialRecords, _ party: Party, _ number: UInt64, _ count: Int, fill: UInt8 = 9
    ) throws {
        _ = records.keep(try beginning(number, count, fill: fill), from: party, hint: try hint(), incarnation: 5)
    }

    @Test("three of a peer; a fourth takes the place of the oldest")
    func records() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        for number in 1...3 as ClosedRange<UInt64> { try Self.keep(&records, party, number, 100) }
        #expect(records.told(to: party, except: nil).map(\.number) == [1, 2, 3])
        try Self.keep(&records, party, 1, 101)
        try Self.keep(&records, party, 4, 100)
        #expect(records.told(to: party, except: nil).map(\.number) == [3, 1, 4])
        #expect(records.bytes == 301)
    }

    @Test("64 to 65,553 bytes, and two of the largest together")
    func bytes() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        for count in [63, 65_554] {
            try Self.keep(&records, party, 1, count)
            #expect(records.bytes == 0)
        }
        try Self.keep(&records, party, 1, 64)
        try Self.keep(&records, party, 2, 65_553)
        #expect(records.bytes == 65_617)
        try Self.keep(&records, party, 3, 65_553)
        #expect(records.told(to: party, except: nil).map(\.number) == [2, 3])
        #expect(records.bytes == PartialRecords.bytesMax)
    }

    @Test("of 256 peers; one more takes the place of the one that was heard least recently")
    func peers() throws {
        var records = PartialRecords()
        for number in 0..<256 { try Self.keep(&records, try Self.party(number), 1, 100) }
        #expect(records.peers == 256)
        records.heard(FrameHeader(hint: try Self.hint(), incarnation: 5, number: 7), floor: 1, from: try Self.party(0))
        try Self.keep(&records, try Self.party(256), 1, 100)
        #expect(records.peers == 256 && records.bytes == 25_600)
        #expect(records.told(to: try Self.party(1), except: nil).isEmpty)
        #expect(records.told(to: try Self.party(0), except: nil).count == 1)
    }

    @Test("4 MiB in all")
    func total() throws {
        var records = PartialRecords()
        for number in 0..<63 { try Self.keep(&records, try Self.party(number), 1, 65_536) }
        for number in 0..<2 { try Self.keep(&records, try Self.party(63), UInt64(number) + 1, 32_768) }
        #expect(records.bytes == PartialRecords.totalMax && records.peers == 64)
        try Self.keep(&records, try Self.party(64), 1, 64)
        #expect(records.peers == 64 && records.bytes == PartialRecords.totalMax - 65_536 + 64)
        #expect(records.told(to: try Self.party(0), except: nil).isEmpty)
    }

    @Test("what is told 32 times to no avail is dropped; telling leaves out what is still coming")
    func tellings() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        let coming = FrameHeader(hint: try Self.hint(), incarnation: 5, number: 2)
        try Self.keep(&records, party, 1, 100)
        try Self.keep(&records, party, 2, 100)
        for _ in 0..<32 { #expect(records.told(to: party, except: coming).map(\.number) == [1]) }
        #expect(records.told(to: party, except: coming).isEmpty)
        #expect(records.told(to: party, except: nil).map(\.number) == [2])
    }

    @Test("less of the same changes nothing, other bytes replace it, and a rest adds to it")
    func replacing() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        try Self.keep(&records, party, 1, 200)
        try Self.keep(&records, party, 1, 150)
        #expect(records.told(to: party, except: nil).map(\.count) == [200])
        try Self.keep(&records, party, 1, 90, fill: 8)
        let told = try #require(records.told(to: party, except: nil).first)
        #expect(told.count == 90)
        #expect(told.digest == PartialFrame.digest(of: try Self.beginning(1, 90, fill: 8)))
        let whole = try Self.beginning(1, 300, fill: 8)
        let rest = try FrameContinuation(of: whole, from: 80)
        _ = records.keep(Array(rest.bytes.prefix(100)), from: party, hint: try Self.hint(), incarnation: 5)
        #expect(records.told(to: party, except: nil).map(\.count) == [80 + 100 - 11])
        #expect(records.joined(rest, from: party) == whole)
        #expect(records.joined(try FrameContinuation(of: whole, from: 170), from: party) == nil)
        #expect(records.joined(rest, from: try Self.party(2)) == nil)
    }

    @Test("what lies below the floor, and what was accepted, goes; what is of another incarnation goes, too")
    func settled() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        func header(_ number: UInt64, _ incarnation: UInt32 = 5) throws -> FrameHeader {
            FrameHeader(hint: try Self.hint(), incarnation: incarnation, number: number)
        }
        for number in 1...3 as ClosedRange<UInt64> { try Self.keep(&records, party, number, 100) }
        records.heard(try header(0), floor: 2, from: party)
        #expect(records.told(to: party, except: nil).map(\.number) == [2, 3])
        records.heard(try header(3), floor: 2, from: party)
        #expect(records.told(to: party, except: nil).map(\.number) == [2])
        records.heard(try header(0, 6), floor: 1, from: party)
        #expect(records.bytes == 0 && records.peers == 0)
    }

    @Test("a loose frame, another hint and another incarnation are not kept")
    func others() throws {
        var records = PartialRecords()
        let party = try Self.party(1)
        try Self.keep(&records, party, 0, 100)
        let bytes = try Self.beginning(1, 100)
        #expect(records.keep(bytes, from: party, hint: try FrameHint([1, 2, 3, 5]), incarnation: 5) == nil)
        #expect(records.keep(bytes, from: party, hint: try Self.hint(), incarnation: 6) == nil)
        #expect(records.keep([2] + bytes.dropFirst(), from: party, hint: try Self.hint(), incarnation: 5) == nil)
        #expect(records.bytes == 0)
    }
}

@Suite("Keys of frames in flight") struct EphemeralKeysTests {
    private static func peer(_ name: String, _ byte: UInt8) throws -> PeerKey {
        let key = try AgreementKey(Secret([UInt8](repeating: byte, count: 32)))
        return PeerKey(party: .node(try NodeID(name)), noiseKey: key.publicKey)
    }

    @Test("the same frame to the same peer gets the same key, anything else another")
    func same() throws {
        var keys = EphemeralKeys()
        let (one, renamed, rekeyed) = (
            try Self.peer("leftend1", 1), try Self.peer("rightnd2", 1), try Self.peer("leftend1", 2)
        )
        let number = FrameNumber(incarnation: 5, number: 7)
        let first = try keys.key(for: [1, 2], number, to: one)
        #expect(try keys.key(for: [1, 2], number, to: one) == first)
        for (payload, number, peer) in [
            ([1, 3], number, one), ([1, 2], FrameNumber(incarnation: 6, number: 7), one),
            ([1, 2], FrameNumber(incarnation: 5, number: 8), one), ([1, 2], number, renamed),
            ([1, 2], number, rekeyed),
        ] as [([UInt8], FrameNumber, PeerKey)] {
            var copy = keys
            #expect(try copy.key(for: payload, number, to: peer) != first)
        }
    }

    @Test("a loose frame never gets a key again")
    func loose() throws {
        var keys = EphemeralKeys()
        let (peer, number) = (try Self.peer("leftend1", 1), FrameNumber(incarnation: 5, number: 0))
        #expect(try keys.key(for: [1], number, to: peer) != keys.key(for: [1], number, to: peer))
        #expect(keys.count == 0)
    }

    @Test("256 at most, the oldest goes; acknowledged frames and those not in flight are forgotten")
    func forgets() throws {
        var keys = EphemeralKeys()
        let peer = try Self.peer("leftend1", 1)
        func number(_ number: UInt64, _ incarnation: UInt32 = 5) -> FrameNumber {
            FrameNumber(incarnation: incarnation, number: number)
        }
        var made: [AgreementKey] = []
        for place in 1...257 as ClosedRange<UInt64> { made.append(try keys.key(for: [1], number(place), to: peer)) }
        #expect(keys.count == 256)
        #expect(try keys.key(for: [1], number(2), to: peer) == made[1])
        keys.forget([number(2), number(3)], to: peer.party)
        keys.forget([number(4)], to: try Self.peer("rightnd2", 1).party)
        #expect(keys.count == 254)
        keys.keep([number(9)], before: number(250), to: peer.party)
        // 9, and 250 to 257, which were made while the store was asked.
        #expect(keys.count == 9)
        #expect(try keys.key(for: [1], number(9), to: peer) == made[8])
        keys.keep([], before: number(1, 6), to: peer.party)
        #expect(keys.count == 0)
    }
}
