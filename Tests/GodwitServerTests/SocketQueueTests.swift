import GodwitNode
import Testing

@testable import GodwitServer

@Suite struct SocketQueueTests {
    @Test("256 texts are taken, the 257th is not, and one more after one was written")
    func bound() {
        var queue = SocketQueue(textsMax: SocketLimits.outboxMax)
        for number in 0..<256 { #expect(queue.offer([UInt8(number)]) == true) }
        #expect(queue.offer([1]) == false)
        #expect(queue.next() == .text([0]))
        #expect(queue.offer([2]) == true)
        #expect(queue.offer([3]) == false)
    }

    @Test("With 128 of 256 texts the queue is half empty, with 129 it is not")
    func half() {
        var queue = SocketQueue(textsMax: 256)
        for number in 0..<129 { #expect(queue.offer([UInt8(number)]) == true) }
        #expect(!queue.isHalfEmpty)
        _ = queue.next()
        #expect(queue.isHalfEmpty)
    }

    @Test("Texts keep their order over many turns")
    func order() {
        var queue = SocketQueue(textsMax: 256)
        var (offered, taken) = (0, 0)
        var random = SplitMix(state: 5)
        while taken < 5_000 {
            if Bool.random(using: &random), queue.offer([UInt8(truncatingIfNeeded: offered)]) { offered += 1 }
            if Bool.random(using: &random), let frame = queue.next() {
                #expect(frame == .text([UInt8(truncatingIfNeeded: taken)]))
                taken += 1
            }
            #expect(queue.hasFrame == (offered > taken))
        }
    }

    @Test("Control frames overtake texts, a flood of pings leaves one answer, and the close comes last, once")
    func control() {
        var queue = SocketQueue(textsMax: 256)
        #expect(queue.offer([1]) == true)
        for number in 0..<100 { queue.pong([UInt8(number)]) }
        queue.ping()
        queue.close(1001, "bye")
        queue.close(1002, "again")
        #expect(queue.offer([2]) == false, "nothing is taken after a close")
        queue.pong([1])
        var frames: [SocketQueue.Frame] = []
        while let frame = queue.next() { frames.append(frame) }
        #expect(frames == [.pong([99]), .ping, .text([1]), .close(1001, "bye")])
        #expect(!queue.hasFrame)
    }

    @Test(
        "Texts are written together while they have fewer bytes than asked for, a larger one alone, and the close at last"
    )
    func together() {
        var queue = SocketQueue(textsMax: 256)
        for count in [3, 3, 4, 1, 40, 1] { #expect(queue.offer([UInt8](repeating: 7, count: count)) == true) }
        queue.ping()
        queue.close(1001, "bye")
        let sizes = { (frames: [SocketQueue.Frame]) in
            frames.map { if case .text(let text) = $0 { text.count } else { 0 } }
        }
        let first = queue.next(bytes: 10)
        #expect(first.first == .ping)
        #expect(sizes(first) == [0, 3, 3, 4], "with 10 bytes no more is added")
        #expect(sizes(queue.next(bytes: 10)) == [1, 40])
        let last = queue.next(bytes: 10)
        #expect(sizes(last) == [1, 0])
        #expect(last.last == .close(1001, "bye"))
        #expect(queue.next(bytes: 10).isEmpty)
    }
}
