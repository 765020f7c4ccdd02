import FoundationEssentials
import Glibc
import GodwitClient
import GodwitProtocol

/// Files on this side of messages: what is attached, and what is saved.
enum AttachedFile {
    /// - Throws: `ProtocolError` 2000 with a hint; what is too large is read no further than it takes to know.
    static func read(_ path: String) throws(ProtocolError) -> [UInt8] {
        let path = expanded(path)
        // A pipe at which nobody writes must not hold up a chat.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("The file cannot be read: \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= Attachment.bytesMax {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("The file cannot be read: \(path)") }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// The last part of a path.
    static func name(of path: String) -> String { String(path.split(separator: "/").last ?? "") }

    /// Writes a file where nothing is yet.
    ///
    /// - Parameters:
    ///   - path: nil: under its own name, here; a directory: under its own name there; else the file itself.
    ///   - replacing: what is there may be overwritten.
    /// - Returns: where it is.
    /// - Throws: `ProtocolError` 2000 with a hint.
    static func save(_ file: Device.File, at path: String?, replacing: Bool = false) throws(ProtocolError) -> String {
        var path = path.map(expanded) ?? file.attachment.name
        var isDirectory = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory {
            path += path.hasSuffix("/") ? file.attachment.name : "/" + file.attachment.name
        }
        guard replacing else {
            try write(file.bytes, toNew: path)
            return path
        }
        // A link that somebody has laid there is not replaced. What was there stays until all of the new one is.
        var target: CChar = 0
        guard readlink(path, &target, 1) < 0 else {
            throw .malformed("The file cannot be written: \(path)", hint: "This is a link. Give another path.")
        }
        let beside = path + ".godwit-\(UInt32.random(in: 0 ... .max))"
        try write(file.bytes, toNew: beside)
        guard rename(beside, path) == 0 else {
            let error = failure("The file cannot be written: \(path)")
            unlink(beside)
            throw error
        }
        return path
    }

    /// All of it, durable, or nothing; through no link.
    private static func write(_ bytes: [UInt8], toNew path: String) throws(ProtocolError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw failure("The file cannot be written: \(path)") }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        let error = rest.isEmpty && fsync(descriptor) == 0 ? nil : failure("The file cannot be written: \(path)")
        close(descriptor)
        guard let error else { return }
        unlink(path)
        throw error
    }

    private static func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = getenv("HOME") else { return path }
        return String(cString: home) + path.dropFirst()
    }

    private static func failure(_ message: String) -> ProtocolError {
        let hint =
            switch errno {
            case EEXIST: "Something has this name already. Give another path, or --force."
            case ENOENT: "There is no such file or directory."
            case EACCES: "Check its permissions."
            case EISDIR: "This is a directory."
            case ENOSPC: "The disk is full."
            default: String(cString: strerror(errno))
            }
        return .malformed(message, hint: hint)
    }
}
