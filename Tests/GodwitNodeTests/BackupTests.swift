import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Backups of a node that runs, and nodes made from them (D-6, D-8).
@Suite("Backups")
struct BackupTests {
    private func files(_ directory: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: directory).sorted()
    }

    private func scratch(_ body: (String) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/godwit-backup-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try await body(directory)
    }

    /// A node with users, a message in a queue (large: its body is a file) and a frame under way, backed up.
    private func backedUp(
        passphrase: String? = nil,
        _ body: (TestNode, (alice: Person, bob: Person), NodeBackup) async throws -> Void
    ) async throws {
        try await TestNode.with { node in
            try await scratch { directory in
                let (alice, sender) = try await node.enrol("alice")
                let (bob, socket) = try await node.enrol("bob")
                await socket.session.closed()
                _ = try await sender.send(alice.message(to: "@" + bob.id.text, ciphertext: 30_000))
                let path = directory + "/copy"
                var request: JSONObject = ["request": "backup", "to": .string(path)]
                if let passphrase { request["passphrase"] = .string(passphrase) }
                let report = try await node.control(request)
                #expect(report.object?["files"]?.integer ?? 0 > 3)
                // Life goes on: the copy is of one moment.
                _ = try await sender.send(alice.message(to: "@" + bob.id.text))
                try await body(node, (alice, bob), NodeBackup(directory: path))
            }
        }
    }

    @Test("a backup of a running node is sound, and holds bodies that lie in files of their own")
    func sound() async throws {
        try await backedUp { node, _, backup in
            #expect(try backup.verify().isEmpty)
            let names = try files(backup.directory)
            #expect(names.contains("keys/signing.key") && names.contains("spool/spool.sqlite"))
            #expect(names.contains { $0.hasPrefix("spool/blobs/") })
            let error = try await refusal {
                try await node.control(["request": "backup", "to": .string(backup.directory)])
            }
            #expect(error.code == .invalidMessageFormat, "what is there is not written over")
        }
    }

    @Test("whatever is altered, missing or added is named")
    func damaged() async throws {
        try await backedUp { _, _, backup in
            let spool = backup.directory + "/spool/spool.sqlite"
            let good = try #require(FileManager.default.contents(atPath: spool))
            var bad = good
            bad[bad.count / 2] ^= 0xFF
            try bad.write(to: URL(filePath: spool))
            #expect(try backup.verify().contains { $0.hasPrefix("spool/spool.sqlite: not what") })
            try good.write(to: URL(filePath: spool))
            #expect(try backup.verify().isEmpty)
            let blob = try #require(try files(backup.directory).first { $0.hasPrefix("spool/blobs/") })
            try FileManager.default.removeItem(atPath: backup.directory + "/" + blob)
            #expect(try backup.verify().contains("\(blob): missing"))
            try Data([1]).write(to: URL(filePath: backup.directory + "/stranger"))
            #expect(try backup.verify().contains { $0.hasPrefix("stranger: does not belong") })
            try await scratch { directory in
                let error = try await refusal {
                    try await backup.restore(
                        into: directory + "/node", passphrase: nil, force: false, at: TestTime.start)
                }
                #expect(error.code == .invalidMessageFormat)
                #expect(try files(directory).isEmpty)
            }
        }
    }

    @Test(
        "a restored node has all but what it must not use twice: frames begin anew, sessions and claimed keys are gone")
    func restored() async throws {
        try await backedUp { node, people, backup in
            try await scratch { directory in
                let home = directory + "/node"
                let before = try await node.node.core.spool.read { transaction in
                    try transaction.keys(for: people.bob.party).count { $0.kind == .message }
                }
                #expect(before == 2)
                let id = try await backup.restore(into: home, passphrase: nil, force: false, at: TestTime.start)
                #expect(id == node.id)
                let spool = try SQLiteSpool(
                    directory: home + "/spool", configuration: SpoolConfiguration(disk: { _ in nil })
                ) { NodeSchema.register(in: &$0, for: node.node.core.context) }
                let context = node.node.core.context
                try await spool.read { transaction in
                    let restored = NodeTransaction(transaction, context: context, now: TestTime.start)
                    let waiting = try transaction.items(for: people.bob.party, limit: 9).filter { $0.kind == .message }
                    #expect(waiting.count == 1 && waiting.first?.body.count ?? 0 > 30_000)
                    // A client may have seen what was given out after the copy, and says so by its number.
                    let next = try restored.row("SELECT seq FROM sqlite_sequence WHERE name = 'spool_item'")
                    #expect(next?["seq"] as Int64? ?? 0 >= 1 << 32)
                    #expect(try restored.sessions(of: people.alice.id).isEmpty)
                    #expect(try restored.oneTimeKeys(of: people.alice.id, people.alice.device) == 0)
                    #expect(try restored.bundles(of: people.alice.id, claim: false).count == 1)
                }
                #expect(try await spool.verify().problems == [])
                try await spool.close()
                let again = try await refusal {
                    try await backup.restore(into: home, passphrase: nil, force: false, at: TestTime.start)
                }
                #expect(again.code == .invalidMessageFormat)
                _ = try await backup.restore(into: home, passphrase: nil, force: true, at: TestTime.start)
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: directory).count == 2, "the other is put aside")
                #expect(try NodeHome(directory: home).id == node.id)
            }
        }
    }

    @Test("frames that were under way are never sent with numbers of the old incarnation (D-8)")
    func incarnations() async throws {
        let (one, other) = (try await TestNode(name: "one"), try await TestNode(name: "other"))
        defer {
            one.remove()
            other.remove()
        }
        try await one.add(other)
        try await other.add(one)
        let (_, sender) = try await one.enrol("alice")
        // A lookup goes to the other node in a frame.
        try await sender.command("lookup_user", ["user_id": .string("\(other.id.text).bob")])
        try await one.contact(other)
        let party = Party.node(other.id)
        let old = try await one.node.core.spool.write { try $0.nextFrame(to: party).incarnation }
        try await scratch { directory in
            _ = try await one.control(["request": "backup", "to": .string(directory + "/copy")])
            let backup = NodeBackup(directory: directory + "/copy")
            _ = try await backup.restore(into: directory + "/node", passphrase: nil, force: false, at: TestTime.start)
            let spool = try SQLiteSpool(
                directory: directory + "/node/spool", configuration: SpoolConfiguration(disk: { _ in nil })
            ) { NodeSchema.register(in: &$0, for: one.node.core.context) }
            let next = try await spool.write { try $0.nextFrame(to: party) }
            #expect(next.incarnation != old && next.number == 1)
            try await spool.close()
        }
    }

    @Test("sealed keys stand nowhere in the clear, and only the passphrase brings them back")
    func sealedKeys() async throws {
        try await backedUp(passphrase: "correct horse") { node, _, backup in
            #expect(try backup.verify().isEmpty)
            let names = try files(backup.directory)
            #expect(
                names.contains("keys.sealed") && !names.contains { $0.hasSuffix(".key") || $0.hasSuffix("key.pem") })
            let seed = node.node.core.context.signingKey.seed.copyBytes()
            for name in names {
                guard let bytes = FileManager.default.contents(atPath: backup.directory + "/" + name) else { continue }
                #expect(bytes.firstRange(of: seed) == nil, "\(name)")
            }
            try await scratch { directory in
                for passphrase in [nil, "wrong horse"] {
                    let error = try await refusal {
                        try await backup.restore(
                            into: directory + "/node", passphrase: passphrase, force: false, at: TestTime.start)
                    }
                    #expect(error.code == .invalidCredentials)
                    #expect(try files(directory).isEmpty)
                }
                _ = try await backup.restore(
                    into: directory + "/node", passphrase: "correct horse", force: false, at: TestTime.start)
                let restored = try NodeHome(directory: directory + "/node")
                #expect(restored.signingKey.seed == node.node.core.context.signingKey.seed)
            }
        }
    }
}
