import NIOCore

/// Where datagrams of an exchange go to and come from.
enum PathAddress: Sendable, Hashable {
    case socket(SocketAddress)
    /// The other end of a serial line, or one of several that share it.
    case line(SerialPair)

    /// Exchanges are limited by it; nil is one place, too.
    var host: String? {
        if case .socket(let address) = self { address.ipAddress } else { nil }
    }
    var isLine: Bool {
        if case .line = self { true } else { false }
    }
}

/// What carries datagrams, each whole or not at all: a UDP socket or a serial line.
protocol DatagramPath: AnyObject, Sendable {
    var eventLoop: any EventLoop { get }
    /// The pace that all exchanges share; nil: each is paced by itself.
    var pace: SharedPace? { get }
    /// Bytes around each datagram, escapes not counted.
    func header(of address: PathAddress) -> Int
    /// Bytes that a datagram takes on the link.
    func size(_ bytes: [UInt8], to address: PathAddress) -> Int
    /// Called on the event loop. What cannot be sent is lost, as datagrams are.
    func send(_ bytes: [UInt8], to address: PathAddress)
    /// No caller needs it any more.
    func closeSoon()
}
