import Foundation

/// The checkout that these tests were built from.
struct Repository {
    let root: URL

    init(file: String = #filePath) {
        root = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Paths of all files under a folder, relative to the root, sorted.
    func paths(under folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            .filter { path in
                var isDirectory: ObjCBool = false
                let full = root.appendingPathComponent(folder).appendingPathComponent(path).path
                return FileManager.default.fileExists(atPath: full, isDirectory: &isDirectory)
                    && !isDirectory.boolValue && !path.contains("__pycache__")
            }
            .map { "\(folder)/\($0)" }.sorted()
    }

    /// All Swift files of ours, cut into tokens.
    func swiftFiles() throws -> [SourceFile] {
        try (paths(under: "Sources") + paths(under: "Tests")).filter { $0.hasSuffix(".swift") }
            .map { SourceFile(path: $0, text: try text($0)) }
    }
}
