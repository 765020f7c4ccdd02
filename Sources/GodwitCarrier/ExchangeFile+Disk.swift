import Glibc
public import GodwitProtocol

/// Files on disk. Blocking: not to be called on the cooperative pool.
extension ExchangeFile {
    /// Writes the file under a temporary name beside it, then renames: after a crash the old file or the new one is
    /// there, whole. Durable on return. Mode 0600. A file that does not fit leaves nothing behind.
    /// - Throws: `ProtocolError` 2000 or 2001 as `encode`, 3003 when the medium is full, 9000 with `details.step` and `details.errno` from the disk.
    public static func write(_ records: [[UInt8]], to path: String) throws(ProtocolError) {
        try write(records, to: path, by: { Glibc.write($0, $1, $2) })
    }

    /// A call as write(2).
    typealias Writing = (Int32, UnsafeRawPointer?, Int) -> Int

    static func write(_ records: [[UInt8]], to path: String, by writing: Writing) throws(ProtocolError) {
        let bytes = try encode(records)
        let temporary = "\(path).\(getpid()).tmp"
        do throws(ProtocolError) {
            try writeDurably(bytes, to: temporary, by: writing)
            guard rename(temporary, path) == 0 else { throw failure("rename") }
        } catch {
            unlink(temporary)
            throw error
        }
        let slash = path.lastIndex(of: "/")
        try synchronise(directory: slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
    }

    /// - Throws: `ProtocolError` 2000 for what is no exchange file, 2001 over 1 GiB, 9000 from the disk.
    public static func read(from path: String) throws(ProtocolError) -> Contents {
        let file = retrying { open(path, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { throw failure("open") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 262_144)
        while true {
            let count = buffer.withUnsafeMutableBytes { target in
                retrying { Glibc.read(file, target.baseAddress, target.count) }
            }
            guard count >= 0 else { throw failure("read") }
            if count == 0 { return try decode(bytes) }
            bytes += buffer[..<count]
            guard bytes.count <= sizeMax else {
                throw .tooLarge("The file is too large.", actual: bytes.count, firstRefused: sizeMax + 1)
            }
        }
    }

    private static func writeDurably(
        _ bytes: [UInt8], to path: String, by writing: Writing
    ) throws(ProtocolError) {
        let file = retrying { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw failure("open") }
        var isClosed = false
        defer { if !isClosed { close(file) } }
        var position = 0
        while position < bytes.count {
            let count = bytes.withUnsafeBytes { source in
                retrying { writing(file, source.baseAddress?.advanced(by: position), source.count - position) }
            }
            guard count > 0 else { throw failure("write") }
            position += count
        }
        guard retrying({ fsync(file) }) == 0 else { throw failure("fsync") }
        isClosed = true
        guard close(file) == 0 else { throw failure("close") }
    }

    private static func synchronise(directory: String) throws(ProtocolError) {
        let file = retrying { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard file >= 0 else { throw failure("open_directory") }
        defer { close(file) }
        guard retrying({ fsync(file) }) == 0 else { throw failure("fsync_directory") }
    }

    private static func retrying<Result: BinaryInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private static func failure(_ step: String) -> ProtocolError {
        guard ![ENOSPC, EDQUOT, EFBIG].contains(errno) else {
            return ProtocolError(
                .bandwidthExceeded, "The medium has no room for the exchange file.",
                hint: "Nothing was written, and everything is still in custody. Use --max-bytes, or another medium.",
                details: ["step": .string(step), "errno": .integer(Int64(errno)), "limit": "medium"])
        }
        return ProtocolError(
            .internalError, "The exchange file could not be read or written.",
            hint: "Check that the path exists, that it may be written, and that the disk has room.",
            details: ["step": .string(step), "errno": .integer(Int64(errno))])
    }
}
