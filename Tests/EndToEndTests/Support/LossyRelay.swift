import Foundation
import Glibc
import Synchronization

/// Carries datagrams one way between two ports of loopback, and loses, doubles and swaps some, as a seed says.
final class LossyRelay: Sendable {
    struct Counts: Sendable {
        var came = 0
        var lost = 0
        var doubled = 0
        var swapped = 0
    }

    private final class Shared: Sendable {
        let counts = Mutex(Counts())
        let isOver = Mutex(false)
    }

    let port: Int
    private let shared = Shared()

    /// - Parameter loss: share of the datagrams that are lost. A tenth is doubled, and a tenth goes after the next one.
    init(to target: Int, loss: Double, seed: UInt64) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // The thread looks now and then whether it is still wanted.
        var pause = timeval(tv_sec: 0, tv_usec: 200_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &pause, socklen_t(MemoryLayout<timeval>.size))
        var address = Self.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 && getsockname(descriptor, generic, &size) == 0
            }
        }
        guard isBound else { throw Place.Missing(description: "No relay: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        let shared = shared
        Thread { Self.carry(descriptor, to: target, loss: loss, seed: seed, shared) }.start()
    }

    deinit { shared.isOver.withLock { $0 = true } }

    var seen: Counts { shared.counts.withLock { $0 } }

    private static func carry(_ descriptor: Int32, to target: Int, loss: Double, seed: UInt64, _ shared: Shared) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func draw() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 31)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var late: [UInt8]?
        while !shared.isOver.withLock({ $0 }) {
            let length = recv(descriptor, &buffer, buffer.count, 0)
            guard length > 0 else { continue }
            shared.counts.withLock { $0.came += 1 }
            let datagram = Array(buffer[..<length])
            if draw() < loss {
                shared.counts.withLock { $0.lost += 1 }
                continue
            }
            if late == nil, draw() < 0.1 {
                shared.counts.withLock { $0.swapped += 1 }
                late = datagram
                continue
            }
            send(datagram, descriptor, to: target)
            if draw() < 0.1 {
                shared.counts.withLock { $0.doubled += 1 }
                send(datagram, descriptor, to: target)
            }
            if let held = late { send(held, descriptor, to: target) }
            late = nil
        }
        close(descriptor)
    }

    private static func send(_ datagram: [UInt8], _ descriptor: Int32, to port: Int) {
        var address = loopback(port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                sendto(descriptor, datagram, datagram.count, 0, generic, size)
            }
        }
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }
}
