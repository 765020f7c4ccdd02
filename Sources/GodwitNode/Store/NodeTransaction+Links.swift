import FoundationEssentials
import GRDB
public import GodwitLink
import GodwitProtocol
import GodwitSpool

extension Peer {
    /// All links to it, the main one first.
    public var paths: [LinkPath] { [.main(profile: profile, ways: order, classes: classes)] + links }

    /// The ways of the link that is meant, best first.
    public func ways(over profile: Profile) -> [CarrierWay] {
        guard let over, !over.ways.isEmpty else {
            return CarrierWay.ordered(
                endpoints: descriptor.endpoints, serial: serial, profile: profile, preference: order)
        }
        return CarrierWay.named(over.ways, endpoints: descriptor.endpoints, serial: serial)
    }

    /// The peer with one of its links as the one that is meant.
    func meaning(_ path: LinkPath) -> Peer {
        var peer = self
        peer.over = path.name == LinkPath.mainName ? nil : path
        return peer
    }
}

extension LinkPath {
    /// Names the link's budget in the store: the peer's id for the main link.
    func account(of node: NodeID) -> String { name == Self.mainName ? node.text : "\(node.text)/\(name)" }
}

extension NodeTransaction {
    func links() throws -> [(node: String, path: LinkPath)] {
        try rows("SELECT node, name, profile, ways, classes, also_after FROM node_link ORDER BY node, name").map {
            row in
            let path = try LinkPath(
                name: row["name"], profile: row["profile"],
                ways: (row["ways"] as String).split(separator: ",").map(String.init),
                classes: try (row["classes"] as String?).map { text in try LinkPath.classes(text) },
                alsoAfter: (row["also_after"] as Int64?).map { .milliseconds($0) })
            return (row["node"], path)
        }
    }

    /// Adds a link to a peer, or states one anew.
    /// - Throws: `ProtocolError` 2000 for one too many, or the main link, which `add` states.
    func add(_ path: LinkPath, to peer: Peer) throws {
        guard path.name != LinkPath.mainName else {
            throw ProtocolError.malformed(
                "The main link is stated with the peer.", member: "name", hint: "Use `godwit peer add`.")
        }
        let others = peer.links.filter { $0.name != path.name }
        guard others.count + 2 <= LinkPath.pathsMax else {
            throw ProtocolError.malformed(
                "A peer has at most \(LinkPath.pathsMax) links, the main one included.", member: "name",
                hint: "Remove one with `godwit peer link remove`.")
        }
        try run(
            """
            INSERT INTO node_link (node, name, profile, ways, classes, also_after) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (node, name) DO UPDATE SET profile = excluded.profile, ways = excluded.ways,
              classes = excluded.classes, also_after = excluded.also_after
            """,
            [
                peer.descriptor.id.text, path.name, path.profile, path.ways.joined(separator: ","),
                path.classes.map(LinkPath.text), path.alsoAfter.map(\.inMillisecondsRoundedUp),
            ])
        try checkLinks(of: peer.descriptor.id)
    }

    /// Every class has a link.
    func checkLinks(of node: NodeID) throws {
        if let peer = try peers().first(where: { $0.descriptor.id == node }) { try LinkPath.check(peer.paths) }
    }

    /// Removes a link; what was built for it goes over the main one.
    /// - Returns: frames that moved there; nil if there was no such link.
    func removeLink(_ name: String, of node: NodeID) throws -> Int? {
        try run("DELETE FROM node_link WHERE node = ? AND name = ?", [node.text, name])
        guard spool.database.changesCount > 0 else { return nil }
        try checkLinks(of: node)
        return try move(of: node, to: LinkPath.mainName) { $0.path == name }.count
    }

    /// Gives frames for a node to another link, as they are.
    func move(
        of node: NodeID, to path: String, where isMeant: (FrameSummary) -> Bool
    ) throws -> [FrameSummary] {
        let frames = try spool.inFlight(to: .node(node)).filter(isMeant)
        try spool.move(frames.map(\.number), to: path, of: .node(node))
        return frames
    }
}
