import ArgumentParser
import FoundationEssentials
import GodwitCompression
import GodwitProtocol

extension DictionaryCommand {
    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a phrase model from texts, such as a site's own history.",
            discussion: """
                Files hold JSON objects with a `text`, one a line, or plain lines; .gz is unpacked. At most 16 MiB of text
                are used, the first that come. Takes some minutes and about 60 bytes of memory for each byte of text.
                """)

        @Argument(help: "Files with texts, or -.")
        var files: [String]
        @Option(name: .shortAndLong, help: "Where to write the model.")
        var output: String
        @Option(help: ArgumentHelp("File with phrases that count threefold and are kept.", valueName: "file"))
        var phrases: [String] = []
        @Option(help: "Bytes that the file may have.")
        var maxBytes = PhraseModelFile.bytesMax
        @Option(help: "Number by which contents name the model; 128 to 255 are for sites.")
        var number: UInt8 = 128
        @Option(help: "Name of the model.")
        var id = "site"
        @Option(help: "Where the texts come from.")
        var provenance = "own texts"
        @Option(help: "Licence of the model.")
        var licence = "not for others"
        @Flag(help: "Write JSON.")
        var json = false

        func validate() throws {
            guard (65_536...PhraseModelFile.bytesMax).contains(maxBytes) else {
                throw ValidationError("A model has 65,536 to \(PhraseModelFile.bytesMax) bytes.")
            }
            guard number > 0 else { throw ValidationError("A number is 1 to 255.") }
        }

        func run() throws {
            let texts = try gather()
            guard texts.count > 0 else {
                throw ProtocolError.malformed(
                    "The files hold no texts.", hint: "JSON objects with a `text`, or plain lines.")
            }
            let started = Stopwatch()
            var settings = PhraseTrainer.Settings()
            settings.bytesMax = maxBytes - PhraseModelFile.manifestMax / 4
            let trainer = PhraseTrainer(settings) { Console.note($0) }
            guard let outcome = trainer.train(texts) else {
                throw ProtocolError(.internalError, "No model could be made of these texts.")
            }
            let manifest = PhraseManifest(
                id: id, number: number, provenance: provenance, licence: licence,
                training: [
                    "texts": .integer(Int64(outcome.texts)), "text_bytes": .integer(Int64(outcome.textBytes)),
                    "contexts": .integer(Int64(outcome.contexts)), "body_bytes": .integer(Int64(outcome.body.count)),
                    "bytes_max": .integer(Int64(settings.bytesMax)), "rounds": .integer(Int64(settings.rounds)),
                    "rate": .integer(Int64(settings.rate)), "worth_min": .double(Double(outcome.worth)),
                    "trainer": .string("godwit \(Godwit.version)"),
                ])
            let file = try PhraseModelFile.make(body: outcome.body, manifest: manifest)
            let model = try PhraseModel(file: file)
            do { try Data(file).write(to: URL(fileURLWithPath: output), options: .atomic) } catch {
                throw ProtocolError(.internalError, "\(output) cannot be written.")
            }
            var object = model.manifest.object
            object["file"] = .string(output)
            object["file_bytes"] = .integer(Int64(file.count))
            object["seconds"] = .double(started.wall.rounded())
            if json { return Console.json(object) }
            Console.out(
                "\(output): \(file.count) bytes, \(outcome.contexts) contexts from \(outcome.texts) texts of "
                    + "\(outcome.textBytes) bytes, \(Int(started.wall)) s")
            Console.out("SHA-256 of the body: \(Hex.encode(model.manifest.digest))")
        }

        private func gather() throws -> TrainingTexts {
            var texts = TrainingTexts()
            // Phrases first, so that they are in however long the history is.
            for (path, weight) in phrases.map({ ($0, 3 as UInt8) }) + files.map({ ($0, 1) }) {
                let before = texts.count
                var isFull = false
                let odd = try TextSource.read(path) { text in
                    guard text.count <= PhraseModel.textMax else { return true }
                    isFull = !texts.append(text, weight: weight)
                    return !isFull
                }
                Console.note("\(path): \(texts.count - before) texts" + (odd > 0 ? ", \(odd) lines without one" : ""))
                if isFull { Console.note("\(path): the rest is left out, \(TrainingTexts.bytesMax) bytes are enough") }
            }
            return texts
        }
    }
}
