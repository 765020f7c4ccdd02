import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// A device as a process that dies at any moment (SPL, REL rows; D-6).
    @Suite("Killed device")
    struct DeviceKillTests {
        @Test("commands killed at random moments lose nothing that they had accepted, and repeat nothing")
        func killedCommands() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            _ = try await site.enrol("alice-r", home: "alice")
            var random = SystemRandomNumberGenerator()
            var accepted: [String] = []
            var doubtful: Set<String> = []
            var killed = 0
            for round in 0..<30 {
                let text = "message \(round)"
                let send = try tool.start(["send", "--home", "alice", "@" + bob, text])
                if round % 3 == 2 { killed += try await Self.kill(send, within: 60, &random) }
                // A command that was killed may have got as far as that: once then, or not at all.
                if try await send.ended().code == 0 { accepted.append(text) } else { doubtful.insert(text) }
                for home in ["alice", "bob"] {
                    let sync = try tool.start(["sync", "--home", home])
                    killed += try await Self.kill(sync, within: 120, &random)
                    _ = try await sync.ended()
                }
            }
            #expect(killed >= 20, "the moments were drawn too late")
            for home in ["alice", "alice", "bob"] { try await tool.json("sync", "--home", home) }
            let read = try await tool.texts("bob")
            #expect(read.filter { !doubtful.contains($0) } == accepted)
            #expect(Set(read).count == read.count)
            #expect(read == read.sorted { Self.number($0) < Self.number($1) })
            #expect(try await tool.json("sync", "--home", "alice")["waiting"]?.integer == 0)
            withExtendedLifetime(node) {}
        }

        /// - Returns: 1 if the process was still there to be killed.
        private static func kill(
            _ child: Child, within milliseconds: Int, _ random: inout SystemRandomNumberGenerator
        ) async throws -> Int {
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...milliseconds, using: &random)))
            child.kill(SIGKILL)
            return try await child.ended().code == -SIGKILL ? 1 : 0
        }

        private static func number(_ text: String) -> Int { Int(text.dropFirst("message ".count)) ?? -1 }
    }
}
