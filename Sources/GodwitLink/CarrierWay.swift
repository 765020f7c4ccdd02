public import GodwitProtocol

/// One way to a peer: an endpoint of its descriptor, or a line of this node.
public struct CarrierWay: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        case serial, udp, https, http, wss, ws
    }

    public var kind: Kind
    /// `udp://host:port`, `https://host`, `wss://host`, `serial:///dev/ttyS0?baud=9600`.
    public var endpoint: String

    /// nil for an endpoint that no carrier of batches serves.
    public init?(_ endpoint: String) {
        guard let colon = endpoint.firstIndex(of: ":"), let kind = Kind(rawValue: endpoint[..<colon].lowercased())
        else { return nil }
        self.kind = kind
        self.endpoint = endpoint
    }

    /// The ways to a peer, best first: what the operator names, in his order, then the rest. Over thin links a line
    /// comes before datagrams and these before connections, whose round trips weigh there, with live links last; over
    /// broad ones it is the other way round. Within a kind the peer's own order stands.
    ///
    /// - Parameter preference: kinds or whole endpoints; see `check`.
    public static func ordered(
        endpoints: [String], serial: SerialEndpoint?, profile: Profile, preference: [String]
    ) -> [CarrierWay] {
        let ways = ([serial?.text].compactMap { $0 } + endpoints).compactMap { CarrierWay($0) }
        let usual: [Kind] =
            profile.type == .broadband
            ? [.wss, .ws, .https, .http, .udp, .serial] : [.serial, .udp, .https, .http, .wss, .ws]
        func rank(_ way: CarrierWay) -> Int {
            if let named = preference.firstIndex(where: { $0 == way.kind.rawValue || $0 == way.endpoint }) {
                return named
            }
            return preference.count + (usual.firstIndex(of: way.kind) ?? usual.count)
        }
        return ways.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
            .map(\.element)
    }

    /// Entries that an order may have.
    public static let preferenceMax = 16

    /// - Throws: `ProtocolError` 2000 for an order that names what is no kind and no endpoint of the peer.
    public static func check(
        preference: [String], endpoints: [String], serial: SerialEndpoint?
    ) throws(ProtocolError) {
        guard preference.count <= preferenceMax else {
            throw .malformed("An order has at most \(preferenceMax) entries.", member: "order")
        }
        let known = Set(Kind.allCases.map(\.rawValue) + endpoints + [serial?.text].compactMap { $0 })
        guard let unknown = preference.first(where: { !known.contains($0) }) else { return }
        throw .malformed(
            "The order names no way to the peer: \(unknown)", member: "order",
            hint: "Known: " + known.sorted().joined(separator: ", "))
    }
}
