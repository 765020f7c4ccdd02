import FoundationEssentials
import GodwitProtocol
import GodwitSpool

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

    static func write(_ bytes: [UInt8], to path: String) throws { try DurableFile.write(bytes, to: path) }

    /// What is not there is no error.
    static func remove(_ path: String) throws(ProtocolError) {
        guard exists(path) else { return }
        do { try FileManager.default.removeItem(atPath: path) } catch {
            throw ProtocolError(.internalError, "The file cannot be removed: \(path)", hint: "Check permissions.")
        }
    }

    static func makeDirectory(_ path: String) throws(ProtocolError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ProtocolError(.internalError, "The directory cannot be made: \(path)", hint: "Check permissions.")
        }
    }
}
