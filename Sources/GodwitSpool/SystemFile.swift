import Glibc
import GodwitProtocol

/// The few file operations that a spool needs, with short writes and interrupted calls handled.
enum SystemFile {
    /// Repeats a call that a signal interrupted.
    static func retrying(_ step: StaticString, _ call: () -> Int) throws(SystemFailure) -> Int {
        while true {
            let result = call()
            if result >= 0 { return result }
            let number = errno
            guard number == EINTR else { throw SystemFailure(step: step, number: number) }
        }
    }

    static func open(_ path: String, _ flags: Int32) throws(SystemFailure) -> Int32 {
        Int32(try retrying("open") { Int(Glibc.open(path, flags | O_CLOEXEC, 0o600)) })
    }

    /// Makes a directory, and those above it, for its owner alone. Its name is durable on return.
    static func makeDirectory(_ path: String) throws(SystemFailure) {
        let slash = path.lastIndex(of: "/")
        if mkdir(path, 0o700) != 0 {
            switch errno {
            case EEXIST: return
            case ENOENT:
                guard let slash, slash != path.startIndex else { throw SystemFailure(step: "mkdir", number: ENOENT) }
                try makeDirectory(String(path[..<slash]))
                if mkdir(path, 0o700) == 0 { break }
                guard errno == EEXIST else { throw SystemFailure(step: "mkdir", number: errno) }
                return
            case let number: throw SystemFailure(step: "mkdir", number: number)
            }
        }
        // What is synced inside a directory is lost if a power cut takes the directory's own name.
        try synchronize(directory: slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
    }

    /// Makes the names in a directory durable.
    static func synchronize(directory: String) throws(SystemFailure) {
        let descriptor = try open(directory, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        _ = try retrying("fsync") { Int(fsync(descriptor)) }
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemFailure) {
        var written = 0
        while written < bytes.count {
            written += try retrying("write") {
                bytes.withUnsafeBytes { buffer in
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                    return Glibc.write(descriptor, rest.baseAddress, rest.count)
                }
            }
        }
    }

    /// Reads a file of at most `limit` bytes; what lies beyond is left out.
    static func read(_ path: String, limit: Int) throws(SystemFailure) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = try retrying("read") {
                bytes.withUnsafeMutableBytes {
                    Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), limit - filled)
                }
            }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(limit - filled)
        return bytes
    }

    /// Names in a directory, without `.` and `..`.
    static func names(in directory: String) throws(SystemFailure) -> [String] {
        guard let stream = opendir(directory) else { throw SystemFailure(step: "opendir", number: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Zeros over the whole of a file, as well as it can be done: flash and some file systems write them elsewhere.
    static func overwrite(_ descriptor: Int32) {
        let end = lseek(descriptor, 0, SEEK_END)
        guard end > 0, lseek(descriptor, 0, SEEK_SET) == 0 else { return }
        let zeros = [UInt8](repeating: 0, count: 65_536)
        var rest = Int(end)
        while rest > 0 {
            let count = min(rest, zeros.count)
            let part = zeros[..<count]
            guard (try? write(Array(part), to: descriptor)) != nil else { break }
            rest -= count
        }
        fsync(descriptor)
    }

    static func remove(_ path: String) {
        // A file that is gone already, or cannot be removed now, is swept at the next opening.
        unlink(path)
    }
}

extension DiskUsage {
    /// Asks the system; nil if it does not tell.
    public init?(fileSystemOf directory: String) {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return nil }
        let unit = Int(clamping: status.f_frsize)
        self.init(
            total: ByteCount(Self.product(Int(clamping: status.f_blocks), unit)),
            available: ByteCount(Self.product(Int(clamping: status.f_bavail), unit)))
    }

    private static func product(_ blocks: Int, _ unit: Int) -> Int {
        let (value, overflow) = blocks.multipliedReportingOverflow(by: unit)
        return overflow ? .max : value
    }
}
