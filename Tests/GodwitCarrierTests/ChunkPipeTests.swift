import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite(.timeLimit(.minutes(1))) struct ChunkPipeTests {
    @Test("Everything comes out once and in order, however fast either side is", arguments: [1, 2, 3])
    func order(_ seed: Int) async throws {
        let pipe = ChunkPipe<Int>()
        let total = 3_000
        try CurlThread.run {
            for number in 0..<total {
                let chunk = Array(repeating: UInt8(truncatingIfNeeded: number), count: 1 + number * seed % 997)
                guard pipe.push(chunk) else { return pipe.finish(-1) }
            }
            pipe.finish(seed)
        }
        var number = 0
        while let chunks = await pipe.take() {
            for chunk in chunks {
                #expect(chunk.first == UInt8(truncatingIfNeeded: number) && chunk.count == 1 + number * seed % 997)
                number += 1
            }
            if number % 7 == 0 { await Task.yield() }
        }
        #expect(number == total)
        #expect(await pipe.outcome() == seed)
    }

    @Test("A full pipe holds the writer at 262,144 bytes until something is taken")
    func full() async throws {
        let pipe = ChunkPipe<Int>()
        let chunk = [UInt8](repeating: 1, count: ChunkPipe<Int>.bytesMax / 2)
        #expect(pipe.push(chunk))
        #expect(pipe.push(chunk))
        let third = Gate()
        try CurlThread.run {
            if pipe.push([2]) { third.open() }
            pipe.finish(0)
        }
        // The third push can only succeed after this takes both.
        #expect(await pipe.take() == [chunk, chunk])
        await third.wait()
        #expect(await pipe.take() == [[2]])
        #expect(await pipe.take() == nil)
    }

    @Test("Abandoning wakes a writer that waits, and refuses all after it")
    func abandon() async throws {
        let pipe = ChunkPipe<String>()
        let chunk = [UInt8](repeating: 1, count: ChunkPipe<String>.bytesMax)
        #expect(pipe.push(chunk))
        try CurlThread.run { pipe.finish(pipe.push([2]) ? "pushed" : "refused") }
        pipe.abandon()
        #expect(await pipe.outcome() == "refused")
        #expect(pipe.isAbandoned)
    }
}
