import ArgumentParser
import GodwitBatch
import GodwitCarrier
import GodwitProtocol

extension SpoolCommand {
    struct ExplainBatch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "explain-batch",
            abstract: "Say what every byte of a batch is spent on, by column and by message.",
            discussion: """
                FILE is what `spool export` writes, or the body of an exchange. The node opens the frames that are for \
                it; those that it has made itself it looks up in its spool, until they are acknowledged. Columns that \
                were compressed together share what they take on the wire by their size before.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "File to read, or - for standard input.")
        var file: String

        func run() async throws {
            let batch = try BatchFile(try Wiring.read(file))
            var explanation = BatchExplanation(batch)
            for part in batch.parts(of: Self.partMax) {
                let records = part.map { JSONValue.string(Base64.encode($0)) }
                let answer = try await NodeControl.ask(
                    [
                        "request": "explain", "place": .integer(Int64(explanation.records.count + 1)),
                        "records": .array(records),
                    ], home)
                for record in (answer.array ?? []).compactMap(\.object) { explanation.add(record) }
            }
            guard explanation.total == batch.size else {
                throw ProtocolError(.internalError, "The account of the file does not add up.")
            }
            if home.json { return Console.json(explanation.object) }
            explanation.show()
        }

        /// Bytes of records in one request.
        private static let partMax = 1_048_576
    }
}

/// A batch as it lies in a file.
struct BatchFile {
    let size: Int
    let records: [[UInt8]]
    /// Of the file around the records.
    let frame: [BatchColumn: Int]

    /// - Throws: `ProtocolError` 2000 for what is neither form, was altered or was cut off.
    init(_ bytes: [UInt8]) throws(ProtocolError) {
        size = bytes.count
        if bytes.starts(with: Array("GODWIT1\n".utf8)) {
            let contents = try ExchangeFile.decode(bytes)
            guard contents.isComplete else {
                throw .malformed(
                    "The file was cut off or altered after record \(contents.records.count).",
                    hint: "Copy it again. `spool import` takes what is whole.")
            }
            records = contents.records
            // The end mark and the checksum.
            frame = [.fileHeader: 8, .fileEnd: 9]
        } else {
            var reader = ExchangeReader()
            records = try reader.feed(bytes)
            try reader.end()
            frame = [:]
        }
    }

    /// The records in runs of at most so many bytes, at least one record each.
    func parts(of most: Int) -> [[[UInt8]]] {
        var parts: [[[UInt8]]] = []
        var bytes = 0
        for record in records {
            if parts.isEmpty || bytes + record.count > most {
                parts.append([])
                bytes = 0
            }
            parts[parts.count - 1].append(record)
            bytes += record.count
        }
        return parts
    }
}
