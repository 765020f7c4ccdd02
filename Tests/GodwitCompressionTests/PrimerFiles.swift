import FoundationEssentials
import GodwitProtocol

@testable import GodwitCompression

/// The folder `dictionaries/`, and what is made from the texts in it.
struct PrimerFiles {
    static let names = ["envelope", "phrases"]

    let root: URL

    init(testFile: String = #filePath) {
        root = URL(filePath: testFile).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appending(path: "dictionaries").appending(path: name)))
    }

    func manifest(_ name: String, text: [UInt8], prefix: [UInt8]) -> JSONObject {
        [
            "encoder": "libbrotli 1.0.9", "id": .string(name), "licence": "as the project",
            "made": "written by hand for Godwit, compressed by `make primers`", "quality": 5,
            "prefix": .string(name + ".prefix"), "prefix_bytes": .integer(Int64(prefix.count)),
            "sha256": .string(Hex.encode(SHA256Digest.of(prefix))),
            "text": .string(name + ".txt"), "text_bytes": .integer(Int64(text.count)),
            "text_sha256": .string(Hex.encode(SHA256Digest.of(text))), "window": 16,
        ]
    }

    /// Writes prefixes, manifests and the Swift file in which they are embedded.
    func writeAll() throws {
        var source = "// Made from dictionaries/ by `make primers`. Do not edit.\n\nenum ShippedPrimers {\n"
        for name in Self.names {
            let text = try read(name + ".txt")
            guard let prefix = BrotliPrimer.prefix(of: text) else { continue }
            let folder = root.appending(path: "dictionaries")
            try Data(prefix).write(to: folder.appending(path: name + ".prefix"))
            let manifest = manifest(name, text: text, prefix: prefix).canonicalText + "\n"
            try Data(manifest.utf8).write(to: folder.appending(path: name + ".json"))
            source += "    static let \(name) = (\n        prefix: \"\"\"\n"
            let encoded = Array(Base64.encode(prefix).utf8)
            for start in stride(from: 0, to: encoded.count, by: 100) {
                let line = encoded[start..<min(start + 100, encoded.count)]
                source += "            " + String(decoding: line, as: UTF8.self)
                source += line.endIndex == encoded.count ? "\n" : "\\\n"
            }
            source += "            \"\"\",\n        digest: \"\(Hex.encode(SHA256Digest.of(prefix)))\"\n    )\n"
        }
        source += "}\n"
        let path = "Sources/GodwitCompression/ShippedPrimers.generated.swift"
        try Data(source.utf8).write(to: root.appending(path: path))
    }
}
