import ArgumentParser
import Glibc
import GodwitCompression
import GodwitProtocol

struct DictionaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dictionary", abstract: "Phrase models: train them, look into them, measure them.",
        subcommands: [Train.self, Inspect.self, Bench.self])

    /// The model at `path`, or the one that comes with Godwit.
    static func model(_ path: String?) throws -> PhraseModel {
        if let path { return try PhraseModel(path: path) }
        guard let shipped = PhraseModelLibrary.shippedPath() else {
            throw ProtocolError.malformed(
                "The phrase model that comes with Godwit was not found.", hint: "Name a model file.")
        }
        return try PhraseModel(path: shipped)
    }

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a model file and show what it says of itself.")

        @Argument(help: "Model file (default: the one that comes with Godwit).")
        var model: String?
        @Flag(help: "Write JSON.")
        var json = false

        func run() throws {
            let started = Stopwatch()
            let model = try DictionaryCommand.model(model)
            let seconds = started.wall
            var object = model.manifest.object
            object["load_milliseconds"] = .double((seconds * 10_000).rounded() / 10)
            if json { return Console.json(object) }
            Console.out("\(model.manifest.id), number \(model.manifest.number), format \(PhraseModelFile.format)")
            Console.out("SHA-256 of the body: \(Hex.encode(model.manifest.digest))")
            Console.out("from: \(model.manifest.provenance)")
            Console.out("licence: \(model.manifest.licence)")
            for member in model.manifest.training.members.sorted(by: { $0.key < $1.key }) {
                Console.out("\(member.key): \(member.value.canonicalText)")
            }
            Console.out("mapped and checked in \((seconds * 10_000).rounded() / 10) ms")
        }
    }
}

/// Time since it was made.
struct Stopwatch {
    private let wallStart = Self.now(CLOCK_MONOTONIC)
    private let busyStart = Self.now(CLOCK_PROCESS_CPUTIME_ID)

    /// Seconds that passed.
    var wall: Double { Self.now(CLOCK_MONOTONIC) - wallStart }
    /// Seconds that the process was busy, over all its threads.
    var busy: Double { Self.now(CLOCK_PROCESS_CPUTIME_ID) - busyStart }

    private static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
