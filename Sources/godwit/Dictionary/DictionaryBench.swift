import ArgumentParser
import GodwitBatch
import GodwitCompression
import GodwitProtocol

extension DictionaryCommand {
    struct Bench: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measure what texts take with every codec, each text by itself.",
            discussion: """
                What is coded is a plain message's content as it travels before padding: codec byte, content fields, text.
                Every one is decoded again and compared. Speeds are bytes of text for each second that a core was busy.
                """)

        @Argument(help: "File with texts: JSON lines or plain lines, .gz or not; or -.")
        var file: String
        @Option(help: ArgumentHelp("Model file (default: the one that comes with Godwit).", valueName: "file"))
        var model: String?
        @Flag(help: "Write JSON.")
        var json = false

        /// Texts that are measured.
        private static let textsMax = 1_000_000

        func run() throws {
            let model = try DictionaryCommand.model(model)
            var texts: [[UInt8]] = []
            let odd = try TextSource.read(file) { text in
                texts.append(text)
                return texts.count < Self.textsMax
            }
            guard !texts.isEmpty else { throw ProtocolError.malformed("\(file) holds no texts.") }
            if odd > 0 { Console.note("\(odd) lines hold no text and are left out") }
            let bench = try CodecBench(texts: texts, model: model)
            let results = try CodecBench.Contender.allCases.map { (name: $0.name, figures: try bench.measure($0)) }
            if json {
                return Console.json([
                    "messages": .integer(Int64(texts.count)), "raw_mean": .double(bench.rawMean),
                    "model": .string(model.manifest.id),
                    "codecs": .object(
                        JSONObject(uniqueKeysWithValues: results.map { ($0.name, .object($0.figures.object)) })),
                ])
            }
            Console.out(
                "\(texts.count) messages, mean \(CodecBench.text(bench.rawMean)) bytes, model \(model.manifest.id)")
            Console.table(
                ["codec", "mean", "of raw", "encode kB/s", "decode kB/s"],
                results.map { name, figures in
                    [
                        name, CodecBench.text(figures.mean), "\(Int((figures.mean / bench.rawMean * 100).rounded()))%",
                        "\(Int(figures.encoding / 1000))", "\(Int(figures.decoding / 1000))",
                    ]
                })
        }
    }
}

/// Codes texts with one codec after the other.
struct CodecBench {
    enum Contender: CaseIterable {
        case none, brotli, brotliPhrases, phraseModel, best

        var name: String {
            switch self {
            case .none: "none"
            case .brotli: "brotli"
            case .brotliPhrases: "brotli_phrases"
            case .phraseModel: "phrase_model"
            case .best: "best"
            }
        }
    }

    struct Figures {
        var mean: Double
        /// Bytes of text for each second of one core.
        var encoding: Double
        var decoding: Double

        var object: JSONObject {
            [
                "mean": .double(mean), "encode_bytes_per_second": .double(encoding.rounded()),
                "decode_bytes_per_second": .double(decoding.rounded()),
            ]
        }
    }

    let rawMean: Double
    private let model: PhraseModel
    private let models: PhraseModelLibrary
    private let contents: [[UInt8]]
    private let textBytes: Int

    init(texts: [[UInt8]], model: PhraseModel) throws {
        self.model = model
        // Whatever its number: nothing of this is kept.
        models = PhraseModelLibrary(trusting: model)
        textBytes = texts.reduce(0) { $0 + $1.count }
        rawMean = Double(textBytes) / Double(texts.count)
        contents = try texts.map { text in
            try ClearContent([
                "format": "plain", "mentions": [], "reply_to": .null,
                "text": .string(String(decoding: text, as: UTF8.self)),
            ]).encoded()
        }
    }

    /// - Throws: `ProtocolError` 9000 when a content comes back as another.
    func measure(_ contender: Contender) throws -> Figures {
        let encoding = Stopwatch()
        let packed = try contents.map { try pack($0, contender) }
        let encodingTime = encoding.busy
        let decoding = Stopwatch()
        let back = try packed.map { try ContentCodec.unpack($0, models: models) }
        let decodingTime = decoding.busy
        guard back == contents else {
            throw ProtocolError(.internalError, "\(contender.name) gave back another text than it was given.")
        }
        return Figures(
            mean: Double(packed.reduce(0) { $0 + $1.count }) / Double(packed.count),
            encoding: Double(textBytes) / max(encodingTime, 1e-6), decoding: Double(textBytes) / max(decodingTime, 1e-6)
        )
    }

    private func pack(_ content: [UInt8], _ contender: Contender) throws -> [UInt8] {
        switch contender {
        case .none: try ContentCodec.pack(content, codecs: [])
        case .brotli: try ContentCodec.pack(content, codecs: [.brotli])
        case .brotliPhrases: try ContentCodec.pack(content, codecs: [.brotliPhrases])
        case .phraseModel: try ContentCodec.pack(content, codecs: [.phraseModel], model: model)
        case .best: try ContentCodec.pack(content, codecs: Set(ContentCodec.allCases), model: model)
        }
    }

    static func text(_ value: Double) -> String {
        let tenths = Int((value * 100).rounded())
        return "\(tenths / 100).\(tenths % 100 < 10 ? "0" : "")\(tenths % 100)"
    }
}
