import Foundation
import Glibc
import Synchronization

/// A process of the tests: output in files, an end that is awaited without blocking a thread.
final class Child: Sendable {
    let pid: pid_t
    private let input: Int32
    private let output: String
    private let complaints: String
    private let state = Mutex<(code: Int32?, read: Int)>((nil, 0))

    /// - Parameters:
    ///   - directory: working directory.
    ///   - input: standard input; nil: a pipe for `send`, which is what a dialogue needs.
    init(
        _ executable: String, _ arguments: [String], in directory: String, input text: [UInt8]? = [],
        environment extra: [String: String] = [:]
    ) throws {
        let name = directory + "/.child-" + UUID().uuidString.prefix(8)
        output = name + ".out"
        complaints = name + ".err"
        var ends: [Int32] = [-1, -1]
        if let text {
            try Data(text).write(to: URL(fileURLWithPath: name + ".in"))
            ends[0] = open(name + ".in", O_RDONLY | O_CLOEXEC)
        } else {
            guard pipe(&ends) == 0 else { throw Place.Missing(description: "No pipe: errno \(errno)") }
            // Another test's child must not hold these open, or a script would never see its input end.
            for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            signal(SIGPIPE, SIG_IGN)
        }
        input = ends[1]
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, complaints, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // What the developer has set must not decide what the tests find.
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GODWIT_") }
        let variables = inherited.merging(extra) { $1 }.map { $0.key + "=" + $0.value }
        // `env` changes the directory and becomes the program, under the same process id.
        var argv = Self.strings(["env", "-C", directory, executable] + arguments)
        var envp = Self.strings(variables)
        defer { for string in argv + envp { free(string) } }
        var started: pid_t = 0
        let result = posix_spawn(&started, "/usr/bin/env", &actions, nil, &argv, &envp)
        guard result == 0 else { throw Place.Missing(description: "\(executable) does not start: errno \(result)") }
        pid = started
    }

    deinit {
        if input >= 0 { close(input) }
        guard state.withLock({ $0.code }) == nil else { return }
        var status: Int32 = 0
        Glibc.kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
    }

    func kill(_ signal: Int32) { Glibc.kill(pid, signal) }

    /// Writes a line to standard input.
    func send(_ line: [UInt8]) throws {
        var rest = (line + [UInt8(ascii: "\n")])[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Place.Missing(description: "The process takes no input. \(outcome(0))") }
            rest = rest.dropFirst(count)
        }
    }

    /// The next line of standard output.
    func line(within limit: Duration = .seconds(60)) async throws -> [UInt8] {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            let bytes = Self.bytes(output)
            let start = state.withLock { $0.read }
            if let stop = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                state.withLock { $0.read = stop + 1 }
                return Array(bytes[start..<stop])
            }
            if let code = poll() { throw Place.Missing(description: "The process ended early. \(outcome(code))") }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Place.Missing(description: "The process says nothing. \(outcome(0))")
    }

    /// Waits for the end. A process that takes longer is asked to end, so that it takes its own children along, and the
    /// test fails.
    func ended(within limit: Duration = .seconds(120)) async throws -> Outcome {
        let end = ContinuousClock.now + limit
        while true {
            if let code = poll() { return outcome(code) }
            guard ContinuousClock.now < end else { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        kill(SIGTERM)
        for _ in 0..<2_000 where poll() == nil { try await Task.sleep(for: .milliseconds(10)) }
        if poll() == nil { kill(SIGKILL) }
        throw Place.Missing(description: "The process took longer than \(limit). \(outcome(0))")
    }

    private func outcome(_ code: Int32) -> Outcome {
        Outcome(
            code: code, out: String(decoding: Self.bytes(output), as: UTF8.self),
            complaint: String(decoding: Self.bytes(complaints), as: UTF8.self))
    }

    private func poll() -> Int32? {
        state.withLock { state in
            if let code = state.code { return code }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            state.code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
            return state.code
        }
    }

    private static func bytes(_ path: String) -> [UInt8] {
        FileManager.default.contents(atPath: path).map { [UInt8]($0) } ?? []
    }

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { text -> UnsafeMutablePointer<CChar>? in strdup(text) } + [nil]
    }
}
