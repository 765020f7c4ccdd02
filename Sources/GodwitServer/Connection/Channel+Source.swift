import GodwitNode
import NIOCore

extension Channel {
    /// Whom limits count this connection to; nil for one without an IP address.
    var source: SourceAddress? { remoteAddress.flatMap(SourceAddress.init) }

    /// The other end is on this machine.
    var isLocal: Bool {
        guard let address = remoteAddress?.ipAddress else { return remoteAddress?.protocol == .unix }
        return address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }
}

extension SourceAddress {
    init?(_ address: SocketAddress) {
        // Where Linux keeps the address: ip(7) after family and port, ipv6(7) after the flow label too.
        let place: Range<Int>
        switch address.protocol {
        case .inet: place = 4..<8
        case .inet6: place = 8..<24
        default: return nil
        }
        let bytes = address.withSockAddr { pointer, size in
            size >= place.upperBound ? Array(UnsafeRawBufferPointer(start: pointer, count: size)[place]) : []
        }
        guard !bytes.isEmpty else { return nil }
        self.init(bytes)
    }
}
