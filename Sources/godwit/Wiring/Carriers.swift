import GodwitBatch
import GodwitCarrier
import GodwitLink
import GodwitNode
import GodwitProtocol

/// Makes carriers: the one place that knows which carrier moves frames to whom.
enum Carriers {
    /// The ways of a link in the order that fits it, or that the operator gave; the best that works is taken.
    static func peer(_ peer: Peer, _ profile: Profile, _ lines: SerialLines) throws -> any Carrier {
        let ways = peer.ways(over: profile)
        return try FailoverCarrier(
            ways.map { way in
                FailoverCarrier.Way(
                    endpoint: way.endpoint, carrier: carrier(way, peer, profile, lines, isOnly: ways.count == 1))
            })
    }

    /// A way that cannot be gone as it is written leaves the others usable, and says why in `godwit link status`.
    private static func carrier(
        _ way: CarrierWay, _ peer: Peer, _ profile: Profile, _ lines: SerialLines, isOnly: Bool
    ) -> Result<any Carrier, ProtocolError> {
        do {
            switch way.kind {
            case .serial:
                return .success(
                    SerialCarrier(lines, to: peer.descriptor.id, profile: profile, hasAlternative: !isOnly))
            case .udp:
                var configuration = UDPCarrierConfiguration(endpoint: try Endpoint(way.endpoint), profile: profile)
                configuration.hasAlternative = !isOnly
                return .success(try UDPCarrier(configuration))
            case .wss, .ws:
                return .success(try live(endpoint: way.endpoint, pins: peer.descriptor.pins, profile: profile))
            case .https, .http:
                return .success(try batch(endpoint: way.endpoint, pins: peer.descriptor.pins, profile: profile))
            }
        } catch {
            return .failure(
                error as? ProtocolError ?? ProtocolError(.internalError, "The carrier could not be made: \(error)"))
        }
    }

    /// Endpoints for datagrams, and those over HTTP, each best first.
    static func split(_ endpoints: [String]) -> (datagrams: [String], others: [String]) {
        (endpoints.filter { $0.hasPrefix("udp://") }, endpoints.filter { $0.hasPrefix("http") })
    }

    private static func live(endpoint: String, pins: [[UInt8]], profile: Profile) throws -> any Carrier {
        var configuration = WebSocketCarrierConfiguration(
            endpoint: try Endpoint(endpoint), pins: try pins.map { digest in try CertificatePin(digest: digest) })
        let slowest = min(profile.bandwidthUp, profile.bandwidthDown).bitsPerSecond
        let frame = Duration.seconds(Double(Exchange.recordMax * 8) / Double(max(slowest, 1)))
        configuration.stallTimeout = max(.seconds(20), profile.latency * 8 + frame)
        configuration.connectTimeout = max(.seconds(20), profile.latency * 8)
        return try WebSocketCarrier(configuration)
    }

    /// A home node for a client that stays: over one live link, which also says when something has come, and where that
    /// does not work over HTTP.
    static func home(endpoint: String, pins: [[UInt8]]) throws -> any AnnouncedCarrier {
        let profile = Profile.preset(.broadband)
        let socket = ClientFiles.socketURL(endpoint)
        let live = try live(endpoint: socket, pins: pins, profile: profile)
        let batch = try batch(endpoint: endpoint, pins: pins, profile: profile)
        return try FailoverCarrier([
            FailoverCarrier.Way(endpoint: socket, carrier: .success(live)),
            FailoverCarrier.Way(endpoint: endpoint, carrier: .success(batch)),
        ])
    }

    static func batch(endpoint: String, pins: [[UInt8]], profile: Profile) throws -> any Carrier {
        var configuration = HTTPCarrierConfiguration(
            endpoint: try Endpoint(endpoint), pins: try pins.map { digest in try CertificatePin(digest: digest) })
        let slowest = min(profile.bandwidthUp, profile.bandwidthDown).bitsPerSecond
        let block = Duration.seconds(Double(4096 * 8) / Double(max(slowest, 1)))
        configuration.stallTimeout = max(.seconds(20), profile.latency * 8 + block * 4)
        configuration.connectTimeout = max(.seconds(20), profile.latency * 8)
        let unsent = HTTPCarrierConfiguration.unsentRange
        configuration.unsentMax = min(max(profile.bandwidthUp.bitsPerSecond / 32, unsent.lowerBound), unsent.upperBound)
        // A link that is cut now and then: less is lost with it than the smaller pieces cost.
        if profile.reliability != .stable {
            let pieces = HTTPCarrierConfiguration.pieceRange
            configuration.pieceMax = min(max(FrameSizing.payload(up: profile).bytes / 16, 1_400), pieces.upperBound)
        }
        return try HTTPBatchCarrier(configuration)
    }
}
