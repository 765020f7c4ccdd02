import GodwitBatch
import GodwitCarrier
import GodwitLink
import GodwitNode
import GodwitProtocol

/// Makes carriers: the one place that knows which carrier moves frames to whom.
enum Carriers {
    /// Datagrams to a peer that takes them, over a link where the round trips of connections weigh; else HTTP batch,
    /// patience scaled to its link.
    static func peer(_ peer: Peer, _ profile: Profile) throws -> any Carrier {
        let (datagrams, others) = split(peer.descriptor.endpoints)
        if let endpoint = datagrams.first, profile.type != .broadband || others.isEmpty {
            return try UDPCarrier(UDPCarrierConfiguration(endpoint: try Endpoint(endpoint), profile: profile))
        }
        guard let endpoint = others.first else {
            throw ProtocolError(.nodeUnreachable, "The peer has no endpoint.", hint: "Ask its operator for one.")
        }
        return try batch(endpoint: endpoint, pins: peer.descriptor.pins, profile: profile)
    }

    /// Endpoints for datagrams, and those over HTTP, each best first.
    static func split(_ endpoints: [String]) -> (datagrams: [String], others: [String]) {
        (endpoints.filter { $0.hasPrefix("udp://") }, endpoints.filter { !$0.hasPrefix("udp://") })
    }

    static func batch(endpoint: String, pins: [[UInt8]], profile: Profile) throws -> any Carrier {
        var configuration = HTTPCarrierConfiguration(
            endpoint: try Endpoint(endpoint), pins: try pins.map { digest in try CertificatePin(digest: digest) })
        let slowest = min(profile.bandwidthUp, profile.bandwidthDown).bitsPerSecond
        let block = Duration.seconds(Double(4096 * 8) / Double(max(slowest, 1)))
        configuration.stallTimeout = max(.seconds(20), profile.latency * 8 + block * 4)
        configuration.connectTimeout = max(.seconds(20), profile.latency * 8)
        return try HTTPBatchCarrier(configuration)
    }
}
