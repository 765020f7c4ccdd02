import Glibc
import GodwitProtocol

/// Small files, and those in which the system tells of a process.
enum ProcessFile {
    static func bytes(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw ProtocolError.malformed("\(path) cannot be read.") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
        }
    }

    /// A figure of `/proc/PID/status` in kB, such as `VmRSS` or `VmHWM`.
    static func kilobytes(_ name: String, of pid: Int32) throws -> Int {
        let text = String(decoding: try bytes("/proc/\(pid)/status"), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return Int(line.filter(\.isNumber)) ?? 0
        }
        throw ProtocolError.malformed("The process says nothing of \(name).")
    }

    /// Seconds of a core that a process has used so far.
    static func processorSeconds(of pid: Int32) throws -> Double {
        let text = String(decoding: try bytes("/proc/\(pid)/stat"), as: UTF8.self)
        // The program's name, in parentheses, may hold anything.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw ProtocolError.malformed("The process says nothing of its time.")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
