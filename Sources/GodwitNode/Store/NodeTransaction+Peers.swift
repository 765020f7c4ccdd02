import FoundationEssentials
import GRDB
import GodwitCrypto
public import GodwitLink
public import GodwitProtocol
import GodwitSpool

/// How far a node is trusted (004 §10.3).
public enum TrustLevel: String, CaseIterable, Sendable, Hashable {
    case trusted, monitored, unknown, blocked
}

/// A neighbour.
public struct Peer: Sendable, Hashable {
    public var descriptor: NodeDescriptor
    public var trust: TrustLevel
    /// Name of the network profile of the link to it.
    public var profile: String
    /// This node calls it; otherwise it waits to be called.
    public var calls: Bool
    /// The line at whose other end it is; this node's own setting.
    public var serial: SerialEndpoint?
    /// Kinds or endpoints in the order in which they are tried; what is not named comes after.
    public var order: [String]
    /// What the main link carries; nil: what no link names.
    public var classes: Set<PriorityClass>?
    /// Links besides the main one.
    public var links: [LinkPath] = []
    /// Which of them is meant; nil: the main one.
    public var over: LinkPath?

    public init(
        descriptor: NodeDescriptor, trust: TrustLevel, profile: String, calls: Bool, serial: SerialEndpoint? = nil,
        order: [String] = [], classes: Set<PriorityClass>? = nil
    ) {
        self.serial = serial
        self.order = order
        self.classes = classes
        self.descriptor = descriptor
        self.trust = trust
        self.profile = profile
        self.calls = calls
    }
}

extension NodeTransaction {
    /// Adds a neighbour or takes over its newer descriptor.
    /// - Throws: `ProtocolError` 1000 for a bad signature, an id that does not follow from the key, or another key for a
    ///   known id (D-17).
    func add(_ peer: Peer) throws {
        let descriptor = peer.descriptor
        try KeyChecks.verify(descriptor.object, signedBy: descriptor.publicKey, purpose: .descriptor)
        let key = try VerifyingKey(descriptor.publicKey)
        guard try NodeIDDerivation.derive(from: key) == descriptor.id, descriptor.id != context.id else {
            throw ProtocolError(
                .invalidCredentials, "The node id does not follow from the node's key.",
                hint: "The descriptor is this node's own, was altered, or is a forgery.")
        }
        if let known = try row("SELECT public_key, sequence FROM node_peer WHERE node = ?", [descriptor.id.text]) {
            guard [UInt8](known["public_key"] as Data) == descriptor.publicKey else {
                throw ProtocolError(
                    .invalidCredentials, "The node is known here with another key.",
                    hint: "Somebody pretends to be that node. Compare the keys over another way.")
            }
            guard descriptor.sequence >= known["sequence"] as Int64 else {
                throw ProtocolError(
                    .invalidMessageFormat, "The descriptor is older than the one known here.",
                    hint: "Ask the peer's operator for the current one.")
            }
        }
        try run(
            """
            INSERT INTO node_peer (node, descriptor, public_key, noise_key, sequence, trust, profile, calls, since,
              serial, ways, classes)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (node) DO UPDATE SET descriptor = excluded.descriptor, noise_key = excluded.noise_key,
              sequence = excluded.sequence, trust = excluded.trust, profile = excluded.profile, calls = excluded.calls,
              serial = excluded.serial, ways = excluded.ways, classes = excluded.classes
            """,
            [
                descriptor.id.text, Data(descriptor.object.canonicalBytes()), Data(descriptor.publicKey),
                Data(descriptor.noiseKey), descriptor.sequence, peer.trust.rawValue, peer.profile, peer.calls,
                now.milliseconds, peer.serial?.text, peer.order.joined(separator: ","),
                peer.classes.map(LinkPath.text),
            ])
    }

    func peers() throws -> [Peer] {
        let links = try Dictionary(grouping: links()) { $0.node }
        return try rows(
            "SELECT node, descriptor, trust, profile, calls, serial, ways, classes FROM node_peer ORDER BY node"
        ).map { row in
            var peer = Peer(
                descriptor: try NodeDescriptor(JSONObject.parse([UInt8](row["descriptor"] as Data))),
                trust: TrustLevel(rawValue: row["trust"]) ?? .unknown, profile: row["profile"], calls: row["calls"],
                serial: try (row["serial"] as String?).map { text in try SerialEndpoint(text) },
                order: (row["ways"] as String).split(separator: ",").map(String.init),
                classes: try (row["classes"] as String?).map { text in try LinkPath.classes(text) })
            peer.links = links[row["node"] as String]?.map(\.path) ?? []
            return peer
        }
    }
}

extension NodeTransaction {
    func saveLedger(_ text: String, for peer: String) throws {
        try run(
            """
            INSERT INTO node_budget (peer, ledger) VALUES (?, ?)
            ON CONFLICT (peer) DO UPDATE SET ledger = excluded.ledger
            """, [peer, text])
    }

    func ledger(for peer: String) throws -> JSONValue? {
        guard let row = try row("SELECT ledger FROM node_budget WHERE peer = ?", [peer]) else { return nil }
        return try JSONValue.parse(row["ledger"] as String)
    }
}
