import Glibc
import GodwitProtocol
import NIOCore
import NIOPosix
import Synchronization

/// A child of this program: the same executable with other arguments, JSON lines in and out.
final class ChildProcess: Sendable {
    let pid: pid_t
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private let commands: AsyncStream<JSONObject>.Continuation
    private let pending: AsyncStream<JSONObject>
    private let hasEnded = Mutex(false)

    /// Commands waiting to be written to one child.
    private static let commandsMax = 65_536

    /// Starts the child; its standard error goes to the end of `log`.
    /// - Parameter namespace: network namespace to start it in, by `ip netns exec`.
    static func start(
        _ arguments: [String], log: String, namespace: String? = nil
    ) async throws -> ChildProcess {
        let input = try pipe()
        let output: (read: Int32, write: Int32)
        do {
            output = try pipe()
        } catch {
            Glibc.close(input.read)
            Glibc.close(input.write)
            throw error
        }
        let pid: pid_t
        do {
            defer {
                Glibc.close(input.read)
                Glibc.close(output.write)
            }
            pid = try spawn(command(arguments, in: namespace), input: input.read, output: output.write, log: log)
        } catch {
            Glibc.close(input.write)
            Glibc.close(output.read)
            throw error
        }
        let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .takingOwnershipOfDescriptors(input: output.read, output: input.write) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ByteToMessageHandler(LineDecoder(), maximumBufferSize: ControlServer.messageMax))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return ChildProcess(pid: pid, channel: channel)
    }

    private init(pid: pid_t, channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) {
        self.pid = pid
        self.channel = channel
        (pending, commands) = AsyncStream.makeStream(
            of: JSONObject.self, bufferingPolicy: .bufferingOldest(Self.commandsMax))
    }

    /// Queues a line for the child's standard input.
    func send(_ object: JSONObject) { commands.yield(object) }

    /// Moves lines until the child closes its output; call once.
    func run(_ receive: @escaping @Sendable (JSONObject) async -> Void) async {
        let pending = pending
        try? await channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await object in pending {
                        var buffer = ByteBuffer(bytes: object.canonicalBytes())
                        buffer.writeString("\n")
                        try await outbound.write(buffer)
                    }
                }
                group.addTask {
                    for try await line in inbound {
                        let limits = JSONLimits(bytes: ControlServer.messageMax)
                        guard let object = try? JSONObject.parse(Array(line.readableBytesView), limits: limits)
                        else { continue }
                        await receive(object)
                    }
                }
                // Either end of the pipe ends the child's use.
                try await group.next()
                group.cancelAll()
            }
        }
    }

    func kill(_ signal: Int32) { _ = Glibc.kill(pid, signal) }

    /// Waits for the end without blocking the pool; nil when it was waited for before.
    func ended() async -> Int32? {
        guard !hasEnded.withLock({ $0 }) else { return nil }
        while true {
            var status: Int32 = 0
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid {
                hasEnded.withLock { $0 = true }
                return status
            }
            guard result == 0, (try? await Task.sleep(for: .milliseconds(20))) != nil else { return nil }
        }
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        let made = Glibc.pipe(&ends) == 0
        // Nobody forks between these calls but this actor's callers, and children get only what is passed on.
        guard made, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw ProtocolError(.internalError, "No pipe could be made for a child process.")
        }
        return (ends[0], ends[1])
    }

    /// This program's path and arguments, entered into a namespace where one is given.
    private static func command(_ arguments: [String], in namespace: String?) throws -> [String] {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count)
        guard count > 0 else { throw ProtocolError(.internalError, "The program cannot find its own file.") }
        let own = [String(decoding: path[..<count], as: UTF8.self)] + arguments
        return namespace.map { ["ip", "netns", "exec", $0] + own } ?? own
    }

    private static func spawn(_ arguments: [String], input: Int32, output: Int32, log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, arguments[0], &actions, nil, argv, environ)
        guard result == 0 else {
            throw ProtocolError(.internalError, "A child process could not be started (error \(result)).")
        }
        return pid
    }
}
