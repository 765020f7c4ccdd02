import CCurl  // for pthread_attr_t, whose C definition its header brings in first
import Glibc
import GodwitProtocol

/// A thread of its own for one blocking transfer: an exchange over a thin link blocks for minutes, and pools are small.
enum CurlThread {
    private final class Job: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Bytes of stack; curl and OpenSSL together stay below 100 kB.
    private static let stackSize = 1_048_576

    /// Runs `body` on a new detached thread.
    /// - Throws: `ProtocolError` 9000 when the machine has no thread to give; `body` is not run then.
    static func run(_ body: @escaping @Sendable () -> Void) throws(ProtocolError) {
        let job = Unmanaged.passRetained(Job(body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                CurlThread.blockSignals()
                Unmanaged<Job>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, job.toOpaque())
        guard status == 0 else {
            job.release()
            throw ProtocolError(
                .internalError, "No thread could be started for an exchange.",
                hint: "Raise the limit of threads or memory of this process.")
        }
    }

    /// With CURLOPT_NOSIGNAL curl leaves SIGPIPE alone, and a write to a dead connection would end the process.
    private static func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }
}
