/// Where a request came from, as far as limits need to know: two requests of one address have equal values.
///
/// Only a hash is kept, under a key that this process drew at its start; no address is stored or logged.
public struct SourceAddress: Hashable, Sendable {
    private let hash: Int

    /// - Parameter address: 4 bytes of IPv4 or 16 of IPv6. Of IPv6 the first 64 bits count: a site has all of the rest.
    public init(_ address: [UInt8]) {
        let mapped = address.count == 16 && address.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        // Swift seeds its hash anew for each process.
        hash = Array(address.count == 16 && !mapped ? address.prefix(8) : address.suffix(4)).hashValue
    }
}
