import Foundation
import Glibc
import Synchronization

/// Two pseudo-terminals with a cable between them.
final class Cable: Sendable {
    /// Devices, by names in the scratch directory.
    let left: String
    let right: String
    private let masters: [Int32]
    private let slaves: [Int32]
    private let count = Counter()

    private final class Counter: Sendable { let bytes = Mutex(0) }

    init(in directory: String) throws {
        var (masters, slaves): ([Int32], [Int32]) = ([], [])
        (left, right) = (directory + "/tty-left", directory + "/tty-right")
        for link in [left, right] {
            var (master, slave): (Int32, Int32) = (-1, -1)
            var settings = termios()
            cfmakeraw(&settings)
            var name = [CChar](repeating: 0, count: 128)
            guard openpty(&master, &slave, &name, &settings, nil) == 0, symlink(name, link) == 0 else {
                throw Place.Missing(description: "No pseudo-terminal: errno \(errno)")
            }
            for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            masters.append(master)
            slaves.append(slave)
        }
        (self.masters, self.slaves) = (masters, slaves)
        let count = count
        for (from, to) in [(masters[0], masters[1]), (masters[1], masters[0])] {
            Thread { Self.carry(from, to, count) }.start()
        }
    }

    /// Both devices hang up, which ends the threads.
    deinit { for descriptor in slaves + masters { close(descriptor) } }

    var carried: Int { count.bytes.withLock { $0 } }

    private static func carry(_ from: Int32, _ to: Int32, _ count: Counter) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let length = read(from, &buffer, buffer.count)
            if length < 0, errno == EINTR { continue }
            guard length > 0 else { return }
            count.bytes.withLock { $0 += length }
            var sent = 0
            while sent < length {
                let done = buffer[sent..<length].withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
                if done < 0, errno == EINTR { continue }
                guard done > 0 else { return }
                sent += done
            }
        }
    }
}
