import FoundationEssentials
import GodwitProtocol

/// What a node reads from its home.
enum NodeFiles {
    /// - Throws: `ProtocolError` 9000 with a hint.
    static func read(_ path: String, max: Int = 1_048_576) throws(ProtocolError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path), data.count <= max else {
            throw ProtocolError(
                .internalError, "A file of the node cannot be read: \(path)",
                hint: "Make the node with `godwit node init`, or check --home.")
        }
        return [UInt8](data)
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    static func makeDirectory(_ path: String) throws(ProtocolError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ProtocolError(.internalError, "The directory cannot be made: \(path)", hint: "Check permissions.")
        }
    }
}
