import FoundationEssentials
import GodwitProtocol
import Glibc

/// Small files of a node's home: written whole, readable by their owner only.
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

    /// Writes beside, syncs and renames, so that the file is whole or absent after a power cut.
    static func write(_ bytes: [UInt8], to path: String) throws(ProtocolError) {
        let part = path + ".part"
        let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                close(descriptor)
                throw failure(path)
            }
            written += count
        }
        let synced = fsync(descriptor) == 0
        close(descriptor)
        guard synced, rename(part, path) == 0 else { throw failure(path) }
        let slash = path.lastIndex(of: "/")
        let directory = open(slash.map { String(path[..<$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure(path) }
        fsync(directory)
        close(directory)
    }

    private static func failure(_ path: String) -> ProtocolError {
        ProtocolError(
            .internalError, "The file cannot be written: \(path)", hint: "Check permissions and room on the disk.")
    }
}
