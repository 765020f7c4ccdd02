import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct DatagramHostileTests {
    private func answerer(_ opening: [UInt8] = Array("hello".utf8)) -> DatagramStream {
        var stream = DatagramStream(role: .answerer, id: 1, link: DatagramLink(.preset(.mobile)), at: .zero)
        give(&stream, number: 0, offset: 0, opening)
        return stream
    }

    private func give(
        _ stream: inout DatagramStream, number: Int, offset: Int, _ bytes: [UInt8], ends: Bool = false
    ) {
        var datagram = Datagram(id: 1, isFromAnswerer: false)
        datagram.number = number
        datagram.chunks = [Datagram.Chunk(offset: offset, bytes: bytes)]
        datagram.ends = ends
        stream.receive(datagram, size: bytes.count + 8, at: .zero)
    }

    @Test("what came first for a place stays; repeats, overlaps and contradictions change nothing")
    func contradictions() {
        var stream = answerer()
        give(&stream, number: 1, offset: 0, Array("HELLO".utf8))
        give(&stream, number: 2, offset: 7, Array("xyz".utf8))
        give(&stream, number: 3, offset: 3, Array("LOabXYZ!".utf8))
        let read = stream.read(at: .zero)
        #expect(read == Array("helloabxyz!".utf8))
        // Long read: not read again.
        give(&stream, number: 4, offset: 2, Array("llo".utf8))
        let again = stream.read(at: .zero)
        #expect(again.isEmpty)
        // An end before what has come, then one, then another.
        give(&stream, number: 5, offset: 5, [], ends: true)
        #expect(stream.input.end == nil)
        give(&stream, number: 6, offset: 11, Array("?".utf8), ends: true)
        give(&stream, number: 7, offset: 11, Array("?!".utf8), ends: true)
        give(&stream, number: 8, offset: 12, Array("!".utf8))
        let last = stream.read(at: .zero)
        #expect(last == Array("?".utf8) && stream.input.isRead)
        // What was refused is not acknowledged either.
        #expect(stream.numbers.largest == 6)
    }

    @Test("bytes up to the credit are taken, one more is not; 256 holes are kept, one more is not")
    func limits() {
        var stream = answerer()
        give(&stream, number: 1, offset: ReceiveBuffer.window - 1, [1])
        #expect(stream.numbers.largest == 1)
        give(&stream, number: 2, offset: ReceiveBuffer.window, [1])
        give(&stream, number: 3, offset: ReceiveBuffer.window - 1, [1, 2])
        #expect(stream.numbers.largest == 1)
        for index in 0..<400 { give(&stream, number: 10 + index, offset: 100 + 2 * index, [1]) }
        #expect(stream.input.arrived == 6 + ReceiveBuffer.rangesMax - 2)
        _ = stream.read(at: .zero)
        // Five bytes were read, so five more are taken.
        #expect(stream.input.credit == ReceiveBuffer.window + 5)
    }

    @Test("an acknowledgement of what was never sent, and datagrams of another exchange or direction, are left out")
    func foreign() {
        var stream = answerer()
        stream.write([1, 2, 3], at: .zero)
        stream.finish()
        let said = stream.said(at: .seconds(1))
        #expect(!said.isEmpty)
        let before = stream.counts
        var datagram = Datagram(id: 1, isFromAnswerer: false)
        datagram.acknowledgement = Datagram.Acknowledgement(largest: 1, depth: 1, missing: 0)
        stream.receive(datagram, size: 7, at: .zero)
        datagram.acknowledgement = Datagram.Acknowledgement(largest: 0, depth: 0, missing: 0)
        datagram.id = 2
        stream.receive(datagram, size: 7, at: .zero)
        datagram.id = 1
        datagram.isFromAnswerer = true
        stream.receive(datagram, size: 7, at: .zero)
        stream.receive(DatagramClose(id: 1, isFromAnswerer: true), size: 5, at: .zero)
        stream.receive(DatagramClose(id: 2, isFromAnswerer: false), size: 5, at: .zero)
        #expect(stream.counts == before && !stream.isPeerReached && stream.state == .open)
        datagram.isFromAnswerer = false
        stream.receive(datagram, size: 7, at: .zero)
        #expect(stream.isPeerReached && stream.output.isAcknowledged)
    }

    @Test("old datagrams played again, and a third of them cut or bent, neither crash nor hang the ends")
    func tampered() {
        for seed in 1...60 as ClosedRange<UInt64> {
            var simulator = DatagramSimulator(
                .preset(.mobile), request: DatagramStreamTests.bytes(20_000),
                answer: DatagramStreamTests.bytes(20_000), seed: seed, loss: 0.02)
            var seen: [Bool: [[UInt8]]] = [true: [], false: []]
            let bends = seed % 2 == 0
            simulator.tamper = { bytes, isUp, random in
                seen[isUp]?.append(bytes)
                var out = [bytes]
                // To either end, also what that end has said itself.
                if let old = seen[.random(using: &random)]?.randomElement(using: &random) { out.append(old) }
                if bends, Int.random(in: 0..<3, using: &random) == 0 {
                    var bent = bytes
                    for _ in 0..<3 {
                        bent[.random(in: 0..<bent.count, using: &random)] = .random(in: 0...255, using: &random)
                    }
                    out.append(bent)
                }
                return out
            }
            let result = simulator.run()
            #expect(result.callerState != .open && result.steps < 1_000_000, "seed \(seed)")
            if !bends {
                #expect(result.isDone, "seed \(seed)")
                #expect(result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            }
        }
    }

    @Test("20,000 random datagrams crash neither end, and what they deliver stays within the limits")
    func random() {
        var random = SeededGenerator(seed: 9)
        for role in [DatagramStream.Role.caller, .answerer] {
            var stream = DatagramStream(role: role, id: 1, link: DatagramLink(.preset(.meshnet)), at: .zero)
            stream.write(DatagramStreamTests.bytes(5_000), at: .zero)
            stream.finish()
            for round in 0..<20_000 {
                let now = Duration.milliseconds(round * 20)
                var datagram = DatagramTests.sample(&random)
                datagram.id = 1
                datagram.isFromAnswerer = role == .caller
                stream.receive(datagram, size: datagram.encoded.count, at: now)
                if round % 7 == 0 { _ = stream.read(at: now) }
                var sent = 0
                while let bytes = stream.poll(at: now) {
                    #expect(bytes.count <= 472)
                    sent += 1
                    if sent > 4 { break }
                }
                #expect(sent <= 3)
                if let wakeup = stream.wakeup(at: now) { #expect(wakeup >= now) }
            }
            #expect(stream.input.arrived <= 1 << 20)
        }
    }
}
