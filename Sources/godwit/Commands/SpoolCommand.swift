import ArgumentParser
import GodwitCarrier
import GodwitProtocol

struct SpoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool", abstract: "What the node has in custody.",
        subcommands: [
            List.self, Show.self, Why.self, Verify.self, Export.self, Import.self, Resend.self, ExplainBatch.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List items in custody, oldest first.")

        @OptionGroup var home: HomeOptions
        @Option(name: .customLong("for"), help: "Only those for a node id or user/device.")
        var destination: String?
        @Option(help: "At most so many.")
        var limit: Int64 = 100

        func run() async throws {
            var request: JSONObject = ["request": "spool_list", "limit": .integer(limit)]
            if let destination { request["destination"] = .string(destination) }
            let items = try await NodeControl.ask(request, home)
            if home.json { return Console.value(items) }
            Console.table(
                ["item", "class", "kind", "bytes", "state", "destination"],
                (items.array ?? []).compactMap(\.object).map { item in
                    [
                        item["item"]?.string ?? "", item["class"]?.string ?? "", item["kind"]?.string ?? "",
                        String(item["bytes"]?.integer ?? 0), item["state"]?.string ?? "",
                        item["destination"]?.string ?? "",
                    ]
                })
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show where the copies of an item are.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Item as `spool list` names it, or a message id.")
        var item: String

        func run() async throws {
            Console.value(try await NodeControl.ask(["request": "spool_show", "item": .string(item)], home))
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the store: pages, references, files against their hashes.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let result = try await NodeControl.ask(["request": "spool_verify"], home)
            let sound = result.object?["sound"]?.bool ?? false
            if home.json {
                Console.value(result)
            } else if sound {
                Console.out("The spool is sound.")
            } else {
                for finding in result.object?["findings"]?.array ?? [] { Console.out(finding.string ?? "") }
            }
            if !sound { throw ExitCode(Failure.failed) }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write frames for a peer to a file, to be carried by hand.",
            discussion: """
                What is written stays in custody until the peer's acknowledgement comes back. Acknowledgements go along \
                also if nothing waits.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "Node id of the peer.")
        var to: String
        @Option(help: "Link to the peer whose classes and frames are written.")
        var path = "main"
        @Option(name: .customLong("max-bytes"), help: "Largest file, 512 to 16777216 bytes.")
        var maxBytes: Int64 = 16_777_216
        @Argument(help: "File to write.")
        var file: String

        func run() async throws {
            guard (512...16_777_216).contains(maxBytes) else {
                throw ProtocolError.malformed("--max-bytes is 512 to 16777216.", member: "max_bytes")
            }
            let result = try await NodeControl.ask(
                [
                    "request": "export", "to": .string(to), "path": .string(path),
                    "max_bytes": .integer(maxBytes - Int64(ExchangeFile.overhead)),
                ], home)
            let records = (result.object?["records"]?.array ?? []).compactMap { $0.string.flatMap(Base64.decode) }
            try ExchangeFile.write(records, to: file)
            let size = (result.object?["bytes"]?.integer ?? 0) + Int64(ExchangeFile.overhead)
            let summary = (result.object ?? [:]).omitting(["records"]).setting("file", .string(file))
                .setting("bytes", .integer(size))
            if home.json { return Console.json(summary) }
            Console.out(
                "Wrote \(summary["frames"]?.integer ?? 0) frames, \(summary["bytes"]?.integer ?? 0) B, to \(file)."
                    + (summary["left"]?.bool ?? false ? " More waits: export again after the peer has answered." : ""))
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take in a file that a peer has exported; what was cut off is told.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "File to read.")
        var file: String

        func run() async throws {
            guard Wiring.exists(file) else {
                throw ProtocolError.malformed("The file cannot be read: \(file)", hint: "Check the path.")
            }
            let contents = try ExchangeFile.read(from: file)
            let summary = try await takeIn(contents.records).setting("complete", .bool(contents.isComplete))
            if home.json {
                Console.json(summary)
            } else {
                Console.out(
                    "Took in \(summary["items"]?.integer ?? 0) items; \(summary["released"]?.integer ?? 0) of ours "
                        + "were acknowledged, \(summary["repeated_frames"]?.integer ?? 0) frames were known, "
                        + "\(summary["refused_frames"]?.integer ?? 0) refused.")
                if !contents.isComplete { Console.out("The file was cut off: copy it again for the rest.") }
            }
            if !contents.isComplete { throw ExitCode(Failure.tryAgain) }
            // A file for somebody else, or with an altered frame.
            if summary["refused_frames"]?.integer ?? 0 > 0 { throw ExitCode(Failure.badData) }
        }

        /// Gives the node a file in parts that its control socket takes, and adds up what it says.
        private func takeIn(_ records: [[UInt8]]) async throws -> JSONObject {
            var summary: JSONObject = [:]
            var rest = records[...]
            repeat {
                var part: [JSONValue] = []
                var bytes = 0
                while let record = rest.first, part.isEmpty || bytes + record.count <= Self.partMax {
                    part.append(.string(Base64.encode(record)))
                    bytes += record.count
                    rest = rest.dropFirst()
                }
                let result = try await NodeControl.ask(["request": "import", "records": .array(part)], home)
                for (name, value) in result.object?.members ?? [] {
                    summary[name] = .integer((summary[name]?.integer ?? 0) + (value.integer ?? 0))
                }
            } while !rest.isEmpty
            return summary
        }

        /// Bytes of records in one request; base64 makes four of three.
        private static let partMax = 8_388_608
    }
}
