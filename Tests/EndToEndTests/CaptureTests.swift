import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// What an eavesdropper on the link and a thief of a node see (E2E-01, CRY rows; "a capture of the link holds no line of the
    /// conversation").
    @Suite("Capture")
    struct CaptureTests {
        @Test("neither the link beneath TLS nor anything that a node stores holds twelve bytes of any message")
        func capture() async throws {
            let corpus = Corpus(messages: 80, authors: 6, seed: 3, direct: true, long: 45_000)
            let scratch = try Scratch()
            let demo = try await Demo.run(
                "--clear", "--capture", "capture.bin", "--keep", "kept", "--rate", "200000", "--rtt", "60", "--loss",
                "0.01", "--outage", "1", corpus: corpus, scratch: scratch)
            try demo.expectPerfect(accepted: 80)
            let sieve = TextSieve(corpus.texts)

            let capture = try scratch.bytes("capture.bin")
            #expect(capture.count >= Int(demo["bytes_up"] + demo["bytes_down"]) / 2)
            #expect(TextSieve(["POST /batch/v1/exchange"]).place(in: capture) != nil, "the capture is beneath TLS")
            #expect(sieve.place(in: capture) == nil)

            for node in ["kept/shore", "kept/field"] {
                let files = try scratch.files(under: node)
                #expect(files.contains { $0.hasSuffix(".sqlite") }, "\(files)")
                for file in files {
                    #expect(sieve.place(in: try scratch.bytes(file)) == nil, "\(file) holds clear text")
                }
            }
        }

        @Test("the scan finds every window of a planted text, at any place, and nothing where there is none")
        func planted() {
            let texts = Corpus(messages: 40, authors: 5, seed: 4).texts
            let sieve = TextSieve(texts)
            var noise: [UInt8] = []
            var state: UInt32 = 7
            for _ in 0..<20_000 {
                state = state &* 1_664_525 &+ 1_013_904_223
                noise.append(UInt8(state >> 24))
            }
            #expect(sieve.place(in: noise) == nil)
            let text = Array(texts[17].utf8)
            for start in stride(from: 0, through: text.count - TextSieve.width, by: 5) {
                let window = Array(text[start..<start + TextSieve.width])
                #expect(sieve.place(in: window) == 0)
                #expect(sieve.place(in: noise[..<1_000] + window + noise[1_000...]) != nil)
                #expect(sieve.place(in: noise + window) != nil)
                #expect(sieve.place(in: noise + window.dropLast()) == nil)
            }
        }
    }
}
