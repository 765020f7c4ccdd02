import GodwitBatch
import GodwitCarrier
import GodwitLink
import GodwitNode
import GodwitProtocol

/// Makes carriers: the one place that knows which carrier moves frames to whom.
enum Carriers {
    /// HTTP batch to a peer, patience scaled to its link.
    static func peer(_ peer: Peer, _ profile: Profile) throws -> any Carrier {
        guard let endpoint = peer.descriptor.endpoints.first else {
            throw ProtocolError(.nodeUnreachable, "The peer has no endpoint.", hint: "Ask its operator for one.")
        }
        return try batch(endpoint: endpoint, pins: peer.descriptor.pins, profile: profile)
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
