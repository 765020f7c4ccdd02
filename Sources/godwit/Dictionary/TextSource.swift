import Glibc
import GodwitProtocol

/// Texts from files: JSON lines with a `text`, or plain lines; `-` is standard input, `.gz` is unpacked by `gzip`.
enum TextSource {
    /// Bytes of a line; what is longer is left out.
    private static let lineMax = 262_144

    /// Hands out each text in turn until `take` says no.
    ///
    /// - Returns: lines that held no text.
    /// - Throws: `ProtocolError` 2000 for a file that cannot be read.
    static func read(_ path: String, _ take: ([UInt8]) -> Bool) throws -> Int {
        let child = path.hasSuffix(".gz") ? try Gunzip(path) : nil
        let descriptor = child?.output ?? (path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC))
        guard descriptor >= 0 else { throw ProtocolError.malformed("\(path) cannot be opened.") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var odd = 0
        let isWhole = try lines(of: descriptor, path) { line in
            guard let text = text(of: line) else {
                odd += line.allSatisfy { $0 == 0x20 || $0 == 0x0D } ? 0 : 1
                return true
            }
            return take(text)
        }
        guard let child else { return odd }
        let isFine = child.end(killing: !isWhole)
        guard isFine || !isWhole else { throw ProtocolError.malformed("\(path) cannot be unpacked by gzip.") }
        return odd
    }

    /// False when `take` said no.
    private static func lines(of descriptor: Int32, _ path: String, _ take: (ArraySlice<UInt8>) -> Bool) throws -> Bool
    {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var pending: [UInt8] = []
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ProtocolError.malformed("\(path) cannot be read.") }
            guard count > 0 else { return pending.isEmpty || take(pending[...]) }
            var start = 0
            while let end = buffer[start..<count].firstIndex(of: 0x0A) {
                pending.append(contentsOf: buffer[start..<end])
                start = end + 1
                if pending.count <= lineMax, !take(pending[...]) { return false }
                pending.removeAll(keepingCapacity: true)
            }
            if pending.count <= lineMax { pending.append(contentsOf: buffer[start..<count]) }
        }
    }

    /// The text of a line: `text`, or `content.text`, of a JSON object, or the line itself when it is none.
    static func text(of line: ArraySlice<UInt8>) -> [UInt8]? {
        guard line.first == 0x7B, let object = try? JSONObject.parse(Array(line)) else {
            let plain = line.last == 0x0D ? line.dropLast() : line
            return plain.isEmpty ? nil : Array(plain)
        }
        guard let text = object["text"]?.string ?? object["content"]?.object?["text"]?.string, !text.isEmpty else {
            return nil
        }
        return Array(text.utf8)
    }
}

/// `gzip -dc` as a child.
struct Gunzip {
    let output: Int32
    private let pid: pid_t

    init(_ path: String) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw ProtocolError(.internalError, "No pipe could be made for gzip.")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        let words: [String] = ["gzip", "-dc", "--", path]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let result = posix_spawnp(&child, "gzip", &actions, nil, &arguments, environ)
        close(ends[1])
        guard result == 0 else {
            close(ends[0])
            throw ProtocolError.malformed("gzip could not be started.", hint: "Install it, or unpack the file first.")
        }
        (output, pid) = (ends[0], child)
    }

    /// Whether it ended well.
    func end(killing: Bool) -> Bool {
        if killing { kill(pid, SIGTERM) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status == 0
    }
}
