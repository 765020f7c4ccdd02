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
}
