import Glibc

/// Holds a directory for this process until it is released (D-6: two processes on one store would repeat nonces and
/// frame numbers). The system releases it when the process ends, however it ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `SpoolError` `.locked`, with the holder's process id in the hint; `SystemFailure`.
    init(directory: String) throws {
        let path = directory + "/lock"
        let descriptor = try SystemFile.open(path, O_RDWR | O_CREAT)
        do {
            _ = try SystemFile.retrying("flock") { Int(flock(descriptor, LOCK_EX | LOCK_NB)) }
            _ = try SystemFile.retrying("ftruncate") { Int(ftruncate(descriptor, 0)) }
            try SystemFile.write(Array("\(getpid())\n".utf8), to: descriptor)
        } catch {
            close(descriptor)
            guard error.number == EWOULDBLOCK else { throw error }
            throw SpoolError(.locked, "Another process holds the spool.", hint: Self.hint(path))
        }
        self.descriptor = descriptor
    }

    deinit {
        // A child that was just forked holds the descriptor for a moment, too, and with it the lock.
        release()
        close(descriptor)
    }

    /// Lets others in before this object goes.
    func release() { flock(descriptor, LOCK_UN) }

    private static func hint(_ path: String) -> String {
        let text = (try? SystemFile.read(path, limit: 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard let process = Int32(text.prefix { $0.isNumber }) else { return "Stop that process first." }
        return "Process \(process) holds it; stop that first."
    }
}
