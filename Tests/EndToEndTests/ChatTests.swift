import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// The chat as people use it: two devices, two terminals and a node (CLIENT-03).
    @Suite("Chat in a terminal")
    struct ChatTests {
        private static func bool(_ value: JSONValue?) -> Bool { value?.bool ?? false }

        @Test("two people write, answer, edit, react, delete and search, live; the terminal is always given back")
        func talk() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            let script = try Child(
                try Place.python(),
                ["-B", Place.root + "/Tests/Interop/chat.py", try Place.godwit(), "alice", alice, "bob", bob],
                in: tool.scratch.path)
            let outcome = try await script.ended(within: .seconds(480))
            try #require(outcome.code == 0, "\(outcome)")
            let seen = try outcome.object()
            #expect(Self.bool(seen["file"]))
            // A key is one byte; ten bits a byte, so over 1,200 baud a key shows up within a hundredth of a second.
            let keys = try #require(seen["key_bytes"]?.array)
            #expect(keys.allSatisfy { $0.integer == 1 }, "\(keys)")
            #expect(seen["composed"]?.string == "> hello bob")
            // The line itself and some 40 bytes around it.
            let line = try #require(seen["arrival_line"]?.integer)
            #expect(try #require(seen["arrival_bytes"]?.integer) <= line + 48)
            #expect(seen["resized_rows"]?.integer == 15 && Self.bool(seen["resized_shows"]))
            #expect(Self.bool(seen["raw"]) && Self.bool(seen["suspended"]))
            #expect(seen["terminated"] == [0, true, true])
            // 11 is SIGSEGV: the process ends as it should, after the terminal is restored.
            #expect(seen["crashed"] == [-11, true, true])
            #expect(seen["hung_up"]?.integer == 0 && seen["dumb"]?.integer == 0 && Self.bool(seen["dumb_is_plain"]))
            withExtendedLifetime(node) {}
        }
    }
}
