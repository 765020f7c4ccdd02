import ArgumentParser
import GodwitNode
import GodwitProtocol

/// What is kept of a node elsewhere: `godwit node backup|restore|verify`, and `reload`.
extension NodeCommand {
    struct Backup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a backup of the node into a directory, while it runs.",
            discussion:
                "With --passphrase-file the node's keys are sealed; without it the directory is as secret as the node.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Directory that is made for it.")
        var directory: String
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase for the keys.")
        var passphraseFile: String?

        func run() async throws {
            var request: JSONObject = ["request": "backup", "to": .string(Wiring.absolute(directory))]
            if let passphraseFile { request["passphrase"] = .string(try Passphrase.read(passphraseFile)) }
            let report = try await NodeControl.ask(request, home)
            if home.json { return Console.value(report) }
            Console.out(
                "\(report.object?["files"]?.integer ?? 0) files, \(report.object?["bytes"]?.integer ?? 0) bytes.")
        }
    }

    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a node from a backup.",
            discussion: """
                Checks the backup first. The node then draws new incarnations for its frames, ends all sessions and \
                drops one-time pre-keys, which may have been given out since. The old node must not run any more.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "Directory of the backup.")
        var directory: String
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase of the keys.")
        var passphraseFile: String?
        @Flag(help: "Put aside a node that is in this home already.")
        var force = false

        func run() async throws {
            // A home that is put aside while its node runs would take along what that acknowledges from now on.
            guard try await NodeControl.askRunning(["request": "status"], home.controlPath) == nil else {
                throw ProtocolError.malformed("A node runs in this home.", hint: "Stop it first.")
            }
            let node = try await NodeBackup(directory: directory).restore(
                into: home.nodeDirectory, passphrase: try passphraseFile.map { try Passphrase.read($0) },
                force: force, at: Wiring.now)
            if home.json { return Console.value(["id": .string(node.text)]) }
            Console.out("Made node \(node) in \(home.nodeDirectory).")
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a backup: files, signatures, tables and bodies.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Directory of the backup.")
        var directory: String

        func run() async throws {
            let problems = try NodeBackup(directory: directory).verify()
            if home.json {
                Console.value(["problems": .array(problems.map { .string($0) })])
            } else {
                for problem in problems { Console.out(problem) }
                if problems.isEmpty { Console.out("The backup is sound.") }
            }
            if !problems.isEmpty { throw ExitCode(1) }
        }
    }

    struct Reload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have the running node read node.yaml and its profiles again.",
            discussion: "The same as SIGHUP. What cannot change while it runs is refused, and nothing is changed then.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            guard let answer = try await NodeControl.askRunning(["request": "reload"], home.controlPath) else {
                throw ProtocolError(
                    .nodeUnreachable, "No node runs in this home.", hint: "Start it; it reads them then.")
            }
            if let error = ProtocolError(object: answer) { throw error }
            if home.json { return Console.value(answer["result"] ?? .null) }
            let changed = (answer["result"]?.object?["changed"]?.array ?? []).compactMap(\.string)
            Console.out(changed.isEmpty ? "Nothing has changed." : "Changed: " + changed.joined(separator: ", "))
        }
    }
}
