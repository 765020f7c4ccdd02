import Glibc
import GodwitProtocol

/// A Python script of Tests/Interop as a child process: one JSON object a line in, one out.
final class PythonPeer {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let input: Int32
    private let output: Int32
    private let child: pid_t
    private var pending: [UInt8] = []

    /// - Parameter script: name of the file in Tests/Interop.
    init(_ script: String, testFile: String = #filePath) throws {
        let root = testFile.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let python = getenv("GODWIT_PYTHON").map { String(cString: $0) } ?? root + "/.build-python/bin/python"
        guard access(python, X_OK) == 0 else {
            throw Failure(description: "No Python at \(python). Run `make deps` first, or set GODWIT_PYTHON.")
        }
        signal(SIGPIPE, SIG_IGN)
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            throw Failure(description: "No pipe: errno \(errno)")
        }
        // Another test's child must not hold these open, or a script would never see its input end.
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = []
        for argument in [python, "-B", "\(root)/Tests/Interop/\(script)"] { arguments.append(strdup(argument)) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var started: pid_t = 0
        let status = posix_spawn(&started, python, &actions, nil, &arguments, environ)
        close(toChild[0])
        close(fromChild[1])
        input = toChild[1]
        output = fromChild[0]
        child = started
        guard status == 0 else { throw Failure(description: "\(python) does not start: errno \(status)") }
    }

    deinit {
        close(input)
        close(output)
        var status: Int32 = 0
        if child > 0 { waitpid(child, &status, 0) }
    }

    /// Asks and reads the answer. An answer {"error": …} is returned as it is.
    func ask(_ operation: String, _ members: JSONObject = [:]) throws -> JSONObject {
        try send(members.setting("op", .string(operation)).canonicalBytes() + [UInt8(ascii: "\n")])
        return try JSONObject.parse(try line())
    }

    /// Asks, and fails when the answer is an error or lacks the member. The member's base64 is decoded.
    func bytes(_ member: String, of operation: String, _ members: JSONObject) throws -> [UInt8] {
        let answer = try ask(operation, members)
        guard let bytes = answer[member]?.string.flatMap(Base64.decode) else {
            throw Failure(description: "\(operation) answered \(answer.canonicalText)")
        }
        return bytes
    }

    private func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(description: "The Python script is gone: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    private func line() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending.removeFirst(end + 1) }
                return Array(pending[..<end])
            }
            let count = read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(description: "The Python script ended; its complaint is on standard error.")
            }
            pending += buffer[..<count]
        }
    }
}

extension JSONValue {
    static func base64(_ bytes: [UInt8]) -> JSONValue { .string(Base64.encode(bytes)) }
}
