import Foundation
import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// A device whose store is under a passphrase, with real processes (G-11).
    @Suite("Locked store")
    struct LockedStoreTests {
        private static let passphrase = ["GODWIT_STORE_PASSPHRASE": "under the floating bridge"]
        private static let text = "Meet me where the ferry lands"

        /// Alice with a message of bob's.
        private static func alice() async throws -> (Site, Child, bob: String) {
            let (site, node) = try await Site.started()
            let bob = try await site.enrol("bob-s", home: "bob")
            let alice = try await site.enrol("alice-r", home: "alice")
            try await site.tool.json("send", "--home", "bob", "@" + alice, text)
            for home in ["bob", "alice"] { try await site.tool.json("sync", "--home", home) }
            return (site, node, bob)
        }

        private static func command(
            _ tool: Tool, _ arguments: String..., environment: [String: String] = passphrase
        ) async throws -> Outcome {
            try await tool.start(arguments + ["--home", "alice", "--json"], environment: environment).ended()
        }

        private static func readable(_ tool: Tool, _ words: [String]) throws -> [String] {
            try tool.scratch.files(under: "alice/client").flatMap { name in
                let bytes = Data(try tool.scratch.bytes(name))
                return words.filter { bytes.range(of: Data($0.utf8)) != nil }.map { "\(name): \($0)" }
            }
        }

        private static func python(_ tool: Tool, _ passphrase: String) async throws -> Outcome {
            try await Child(
                try Place.python(),
                ["-B", Place.root + "/Tests/Interop/store.py", "alice/client", passphrase, "clear.sqlite"],
                in: tool.scratch.path
            ).ended()
        }

        @Test("nothing of it can be read from its files, everything with the passphrase, and another language agrees")
        func locked() async throws {
            let (site, node, bob) = try await Self.alice()
            let tool = site.tool
            let words = ["ferry", "CREATE TABLE", "client_inbox", "SQLite format"]
            #expect(
                try Set(Self.readable(tool, words).map { $0.prefix { $0 != ":" } }) == [
                    "alice/client/device/spool.sqlite"
                ])
            #expect(try await Self.command(tool, "device", "status").object()["locked"]?.bool == false)
            #expect(try await Self.command(tool, "device", "lock").code == 0)
            #expect(try Self.readable(tool, words) == [])
            #expect(try await Self.command(tool, "device", "status", environment: [:]).object()["locked"]?.bool == true)
            #expect(try await Self.command(tool, "device", "lock").code == 65)

            let found = try await Self.command(tool, "search", "ferry")
            #expect(found.code == 0 && found.objects.first?["text"]?.string == Self.text, "\(found)")
            #expect(try await Self.command(tool, "send", "@" + bob, "I will be at the ferry").code == 0)
            #expect(try await Self.command(tool, "sync").code == 0)
            let history = try await Self.command(tool, "history", "@" + bob)
            #expect(history.objects.compactMap { $0["text"]?.string } == [Self.text, "I will be at the ferry"])
            #expect(try Self.readable(tool, words) == [])

            let seen = try await Self.python(tool, "under the floating bridge")
            let report = try seen.object()
            #expect(report["integrity"]?.string == "ok", "\(seen)")
            #expect(report["values"]?.integer ?? 0 > 100 && report["files"]?.integer ?? 0 >= 3, "\(seen)")
            #expect(report["shown"]?.array == [], "\(seen)")
            #expect(Data(try tool.scratch.bytes("clear.sqlite")).range(of: Data(Self.text.utf8)) != nil)
            #expect(try await Self.python(tool, "under another bridge").code != 0)
            withExtendedLifetime(node) {}
        }

        @Test("without the passphrase, with a wrong one or without the key's file it is refused with a hint")
        func refusals() async throws {
            let (site, node, _) = try await Self.alice()
            let tool = site.tool
            for (arguments, code) in [(["device", "unlock"], 65), (["device", "change-passphrase"], 65)] {
                let outcome = try await tool.start(arguments + ["--home", "alice", "--json"]).ended()
                #expect(Int(outcome.code) == code, "\(arguments)")
            }
            #expect(try await Self.command(tool, "device", "lock", environment: [:]).code == 77)
            #expect(
                try await Self.command(tool, "device", "lock", environment: ["GODWIT_STORE_PASSPHRASE": ""]).code == 65)
            #expect(try await Self.command(tool, "device", "lock").code == 0)
            for environment in [[:], ["GODWIT_STORE_PASSPHRASE": "wrong"]] {
                for arguments in [["read"], ["search", "ferry"], ["device", "unlock"], ["spool", "list"]] {
                    let outcome = try await tool.start(
                        arguments + ["--home", "alice", "--json"], environment: environment
                    ).ended()
                    #expect(outcome.code == 77, "\(arguments): \(outcome)")
                    let error = try outcome.error()
                    #expect(error["number"]?.integer == 1000 && error["hint"]?.string?.isEmpty == false)
                    #expect(!outcome.out.contains("ferry"))
                }
            }
            let key = try tool.scratch.bytes("alice/client/store.key")
            try FileManager.default.removeItem(atPath: tool.scratch.path + "/alice/client/store.key")
            let missing = try await Self.command(tool, "read")
            #expect(missing.code == 65)
            #expect(try missing.error()["hint"]?.string?.contains("store.key") == true)
            try tool.scratch.write(Array(key.dropLast(9)), to: "alice/client/store.key")
            #expect(try await Self.command(tool, "read").code == 65)
            try tool.scratch.write(key, to: "alice/client/store.key")
            #expect(try await Self.command(tool, "read").code == 0)
            withExtendedLifetime(node) {}
        }

        @Test("the passphrase comes from a file or a credential, can be changed, and the store unlocked for good")
        func passphrases() async throws {
            let (site, node, _) = try await Self.alice()
            let tool = site.tool
            try tool.scratch.write("from a file\n", to: "one")
            try tool.scratch.makeFolder("credentials")
            try tool.scratch.write("from a credential\n", to: "credentials/godwit-store")
            let (file, credential) = (["GODWIT_STORE_PASSPHRASE_FILE": "one"], ["CREDENTIALS_DIRECTORY": "credentials"])
            #expect(try await Self.command(tool, "device", "lock", environment: file).code == 0)
            #expect(try await Self.command(tool, "read", environment: file).objects.count == 1)
            #expect(try await Self.command(tool, "read", environment: credential).code == 77)
            let changed = try await Self.command(
                tool, "device", "change-passphrase", "--new-passphrase-file", "credentials/godwit-store",
                environment: file)
            #expect(changed.code == 0, "\(changed)")
            #expect(try await Self.command(tool, "read", environment: file).code == 77)
            #expect(try await Self.command(tool, "search", "ferry", environment: credential).objects.count == 1)
            #expect(try await Self.command(tool, "device", "unlock", environment: credential).code == 0)
            #expect(try tool.scratch.files(under: "alice/client").allSatisfy { !$0.hasSuffix("store.key") })
            #expect(try await Self.command(tool, "search", "ferry", environment: [:]).objects.count == 1)
            withExtendedLifetime(node) {}
        }

        @Test("an identity can be made with a locked store from the beginning")
        func fromTheBeginning() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            try tool.scratch.write("correct horse battery staple\n", to: "passphrase")
            let made = try await Self.command(
                tool, "identity", "create", "alice-r", "--node", site.descriptorFile, "--passphrase-file",
                "passphrase", "--lock")
            #expect(made.code == 0, "\(made)")
            #expect(try await Self.command(tool, "register", "--passphrase-file", "passphrase").code == 0)
            #expect(try Self.readable(tool, ["CREATE TABLE", "client_identity", "SQLite format"]) == [])
            #expect(try await Self.command(tool, "sync").code == 0)
            #expect(try await Self.command(tool, "sync", environment: [:]).code == 77)
            withExtendedLifetime(node) {}
        }

        @Test("killed at random moments it loses nothing that was accepted, and is never left in clear (GW-03)")
        func killed() async throws {
            let (site, node, bob) = try await Self.alice()
            let tool = site.tool
            let start = ContinuousClock.now
            #expect(try await Self.command(tool, "device", "lock").code == 0)
            // Deriving the key comes first, and moments are to be drawn from what comes after it, too.
            let span = Int((ContinuousClock.now - start) / .milliseconds(1))
            var random = SystemRandomNumberGenerator()
            var (accepted, doubtful): ([String], Set<String>) = ([], [])
            for round in 0..<16 {
                let text = "message \(round)"
                let send = try tool.start(
                    ["send", "--home", "alice", "@" + bob, text], environment: Self.passphrase)
                if round % 4 != 0 {
                    try await Task.sleep(for: .milliseconds(Int.random(in: span / 3...span, using: &random)))
                    send.kill(SIGKILL)
                }
                if try await send.ended().code == 0 { accepted.append(text) } else { doubtful.insert(text) }
            }
            #expect(accepted.count >= 4)
            #expect(try Self.readable(tool, ["ferry", "message 1", "CREATE TABLE"]) == [])
            let outbox = try await Self.command(tool, "history", "@" + bob)
            let kept = outbox.objects.compactMap { $0["text"]?.string }.filter { $0 != Self.text }
            #expect(kept.filter { !doubtful.contains($0) } == accepted, "\(outbox)")
            #expect(Set(kept).count == kept.count)
            let verified = try await Self.command(tool, "spool", "verify")
            #expect(verified.code == 0, "\(verified)")
            withExtendedLifetime(node) {}
        }

        @Test("locking killed at random moments leaves the store in one form or the other, and can be done again")
        func killedLocking() async throws {
            let (site, node, _) = try await Self.alice()
            let tool = site.tool
            var random = SystemRandomNumberGenerator()
            let start = ContinuousClock.now
            #expect(try await Self.command(tool, "device", "lock").code == 0)
            let span = Int((ContinuousClock.now - start) / .milliseconds(1))
            var isLocked = true
            for _ in 0..<12 {
                let change = try tool.start(
                    ["device", isLocked ? "unlock" : "lock", "--home", "alice"], environment: Self.passphrase)
                try await Task.sleep(for: .milliseconds(Int.random(in: span / 3...span, using: &random)))
                change.kill(SIGKILL)
                _ = try await change.ended()
                let status = try await Self.command(tool, "device", "status")
                isLocked = try status.object()["locked"]?.bool ?? false
                var read = try await Self.command(tool, "search", "ferry")
                if read.code != 0, !isLocked {
                    // Between the key's file and the store: said so, and mended by doing it again.
                    #expect(try read.error()["hint"]?.string?.contains("godwit device lock") == true, "\(read)")
                    #expect(try await Self.command(tool, "device", "lock").code == 0)
                    isLocked = true
                    read = try await Self.command(tool, "search", "ferry")
                }
                #expect(read.objects.count == 1, "\(read)")
                if isLocked { #expect(try Self.readable(tool, ["ferry", "CREATE TABLE"]) == []) }
            }
            withExtendedLifetime(node) {}
        }
    }
}
