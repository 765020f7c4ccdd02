import Glibc
import GodwitProtocol

/// The real program, started with a pipe as its input and its output in a file.
struct MeasuredProgram {
    let pid: Int32
    private let input: Int32
    private let output: String

    /// What it took from its start to its end.
    struct Usage {
        var seconds: Double
        var processorSeconds: Double
        /// Most kB that it ever had resident.
        var peakKilobytes: Int
        var status: Int32
    }

    init(_ program: String, _ arguments: [String], output: String) throws {
        self.output = output
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else {
            throw ProtocolError.malformed("No pipe could be made.")
        }
        defer { Glibc.close(ends[0]) }
        input = ends[1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, output + ".err", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, program, &actions, nil, argv, environ) == 0 else {
            throw ProtocolError.malformed("\(program) could not be started.")
        }
        self.pid = pid
    }

    /// What it has written so far, one JSON object a line.
    func lines() throws -> [JSONObject] {
        String(decoding: try ProcessFile.bytes(output), as: UTF8.self).split(separator: "\n")
            .compactMap { try? JSONObject.parse(Array($0.utf8)) }
    }

    /// Closes its input, as somebody does who leaves.
    func leave() { Glibc.close(input) }

    /// Waits until it has ended. What the system counts as its peak would be that of this process, which it was made from;
    /// so its own is read while it lives.
    func ended(since start: ContinuousClock.Instant) async throws -> Usage {
        var (status, usage, peak) = (Int32(0), rusage(), 0)
        while true {
            let result = wait4(pid, &status, WNOHANG, &usage)
            if result == pid { break }
            guard result == 0 else { throw ProtocolError.malformed("The program was lost.") }
            peak = max(peak, (try? ProcessFile.kilobytes("VmHWM", of: pid)) ?? 0)
            try await Task.sleep(for: .milliseconds(5))
        }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return Usage(
            seconds: start.duration(to: .now) / .seconds(1),
            processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), peakKilobytes: peak, status: status)
    }
}
