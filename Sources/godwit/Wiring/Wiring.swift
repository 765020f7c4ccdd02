import FoundationEssentials
import Glibc
import GodwitContact
import GodwitProtocol
import Logging

/// Where parts are put together.
enum Wiring {
    static var now: Timestamp { SystemTime().now() }

    /// Logs go to standard error; `GODWIT_LOG` sets the level (default: warning), a node also by its settings.
    static func logger(_ label: String) -> Logger {
        if let level = environmentLevel { NodeLog.setting.level = level }
        return Logger(label: label) { NodeLog(label: $0) }
    }

    static var environmentLevel: Logger.Level? {
        ProcessInfo.processInfo.environment["GODWIT_LOG"].flatMap { Logger.Level(rawValue: $0) }
    }

    /// The whole of a small file, or of standard input for `-`.
    /// - Throws: `ProtocolError` 2000.
    static func read(_ path: String, max: Int = 16_777_216) throws -> [UInt8] {
        if path == "-" {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while bytes.count <= max {
                let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
                if count <= 0 { break }
                bytes += buffer[..<count]
            }
            guard bytes.count <= max else {
                throw ProtocolError.tooLarge("The input is too large.", actual: bytes.count, firstRefused: max + 1)
            }
            return bytes
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ProtocolError(.invalidMessageFormat, "The file cannot be read: \(path)", hint: "Check the path.")
        }
        guard data.count <= max else {
            throw ProtocolError.tooLarge("The file is too large.", actual: data.count, firstRefused: max + 1)
        }
        return [UInt8](data)
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// A path that means the same wherever a command is run.
    /// - Parameter directory: what a relative path counts from; nil: the working directory.
    static func absolute(_ path: String, in directory: String? = nil) -> String {
        guard !path.hasPrefix("/") else { return path }
        let base = directory ?? ""
        return (base.hasPrefix("/") ? "" : FileManager.default.currentDirectoryPath + "/") + base
            + (base.isEmpty ? "" : "/") + path
    }

    static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ProtocolError(.internalError, "The directory cannot be made: \(path)", hint: "Check permissions.")
        }
    }
}
