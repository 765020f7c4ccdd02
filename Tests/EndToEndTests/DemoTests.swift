import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// The main job, run as people run it (DEMO rows; D-18).
    @Suite("Demo")
    struct DemoTests {
        @Test("the built-in conversation crosses a lossy link with an outage: exactly once, in order, unaltered")
        func builtIn() async throws {
            let demo = try await Demo.run("--rate", "200000", "--rtt", "60", "--loss", "0.02", "--outage", "1")
            #expect(demo.outcome.code == 0)
            try demo.expectPerfect(accepted: 100)
            #expect(demo["bytes_up"] > 0 && demo["bytes_down"] > 0)
            #expect(demo["bytes_up"] + demo["bytes_down"] < demo["json_bytes"], "less than plain JSON")
        }

        @Test("twenty-five people in one channel: each message reaches the other twenty-four")
        func manyAuthors() async throws {
            let corpus = Corpus(messages: 50, authors: 25, seed: 1)
            let demo = try await Demo.run(
                "--rate", "200000", "--rtt", "60", "--loss", "0.01", "--outage", "0", corpus: corpus)
            #expect(demo.outcome.code == 0)
            #expect(demo["expected"] == 50 * 24)
            try demo.expectPerfect(accepted: 50)
        }

        @Test("a conversation that the link cannot carry in time ends with exit code 1, and says how much is missing")
        func impossible() async throws {
            let demo = try await Demo.run("--limit", "1", "--rate", "300")
            #expect(demo.outcome.code == 1)
            #expect(demo["lost"] > 0)
            #expect(demo["lost"] == demo["expected"] - demo["delivered"])
            #expect(demo["duplicated"] == 0 && demo["altered"] == 0)
        }

        @Test("a demo that is asked to end takes its processes along")
        func interrupted() async throws {
            let scratch = try Scratch()
            let demo = try Child(try Place.godwit(), ["demo", "--json", "--keep", "kept"], in: scratch.path)
            var holders: [pid_t] = []
            for _ in 0..<600 where holders.count < 2 {
                holders = ["shore", "field"].compactMap { node in
                    (try? scratch.text("kept/\(node)/spool/lock")).flatMap { Int32($0.prefix { $0.isNumber }) }
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(holders.count == 2)
            demo.kill(SIGTERM)
            let outcome = try await demo.ended(within: .seconds(40))
            #expect(outcome.code == 1)
            #expect(try outcome.error()["hint"]?.string?.isEmpty == false)
            for holder in holders { #expect(kill(holder, 0) == -1 && errno == ESRCH, "process \(holder) lives on") }
        }

        @Test(
            "on a terminal the display stays on its own lines, however long the texts are, and takes no orders from them"
        )
        func display() async throws {
            let scratch = try Scratch()
            let long = String(repeating: "水と食料 and \u{1B}[2J more ", count: 12)
            let lines = (0..<24).map { index -> String in
                let message: JSONObject = [
                    "ts": .string("2026-11-21T10:30:\(10 + index).000Z"), "author": .string("person\(index % 4)"),
                    "channel": "#flood", "text": .string("\(index) " + long),
                ]
                return message.canonicalText
            }
            try scratch.write(lines.joined(separator: "\n") + "\n", to: "corpus.jsonl")
            let line =
                "stty cols 60 rows 40; exec '\(try Place.godwit())' demo --corpus corpus.jsonl --rate 100000 "
                + "--rtt 60 --outage 0"
            let outcome = try await Child(
                "/usr/bin/script", ["--quiet", "--return", "--command", line, "/dev/null"], in: scratch.path
            ).ended(within: .seconds(240))
            #expect(outcome.code == 0, "\(outcome)")
            let rows = outcome.out.split(separator: "\u{1B}[2K").dropFirst().map { row in
                row.prefix { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }
            }
            #expect(rows.count > 8 && rows.contains { $0.contains("水と食料") }, "\(outcome)")
            // East Asian characters take two cells.
            let cells = rows.map { row in row.reduce(0) { $0 + ($1.isASCII ? 1 : "\u{FFFD}→…".contains($1) ? 1 : 2) } }
            #expect(cells.allSatisfy { $0 <= 60 }, "\(cells)")
            #expect(!outcome.out.contains("\u{1B}[2J") && outcome.out.contains("lost"))
        }

        @Test("nodes killed twenty times at random moments lose, repeat and swap nothing", arguments: [UInt64(11)])
        func killed(seed: UInt64) async throws {
            let corpus = Corpus(messages: 300, authors: 6, seed: seed)
            let demo = try await Demo.run(
                "--kills", "20", "--seed", "\(seed)", "--rate", "40000", "--rtt", "60", "--loss", "0.01", "--outage",
                "1", "--limit", "200", corpus: corpus, within: .seconds(300))
            #expect(demo.outcome.code == 0)
            #expect(demo["kills"] >= 20)
            #expect(demo["expected"] == 300 * 5)
            try demo.expectPerfect(accepted: 300)
        }
    }
}

/// One run of `godwit demo --json`.
struct Demo {
    var outcome: Outcome
    var object: JSONObject

    subscript(key: String) -> Int64 { object[key]?.integer ?? -1 }

    /// - Parameter scratch: where the run leaves what it is told to keep.
    static func run(
        _ arguments: String..., corpus: Corpus? = nil, scratch: Scratch? = nil, within limit: Duration = .seconds(240)
    ) async throws -> Demo {
        let scratch = try scratch ?? Scratch()
        var arguments = ["demo", "--json"] + arguments
        if let corpus {
            try scratch.write(corpus.lines, to: "corpus.jsonl")
            arguments += ["--corpus", "corpus.jsonl"]
        }
        let outcome = try await Child(try Place.godwit(), arguments, in: scratch.path).ended(within: limit)
        return Demo(outcome: outcome, object: try outcome.object())
    }

    func expectPerfect(accepted: Int64, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let counts = ["accepted": self["accepted"], "missing": self["expected"] - self["delivered"]].merging(
            ["lost", "duplicated", "out_of_order", "altered"].map { ($0, self[$0]) }
        ) { $1 }
        let perfect: [String: Int64] = [
            "accepted": accepted, "missing": 0, "lost": 0, "duplicated": 0, "out_of_order": 0, "altered": 0,
        ]
        #expect(counts == perfect, "\(outcome)", sourceLocation: sourceLocation)
        #expect(self["expected"] > 0, sourceLocation: sourceLocation)
    }
}
