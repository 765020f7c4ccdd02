import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// Orders about the links to a peer, and what is carried over them by hand.
extension HomeNode {
    /// States a link besides the main one: {`node`, `name`, `profile`?, `ways`?, `classes`?, `also_after`? in ms}.
    func addLink(_ request: ObjectReader) async throws -> JSONObject {
        let peer = try await peer(request.string("node"))
        let profile = try request.optionalString("profile") ?? "broadband"
        let path = try LinkPath(
            name: request.string("name"), profile: profile,
            ways: request.optionalString("ways")?.split(separator: ",").map(String.init) ?? [],
            classes: try request.optionalString("classes").map { text in try LinkPath.classes(text) },
            alsoAfter: try request.optionalInteger("also_after", in: 0...JSONValue.integerMax).map { .milliseconds($0) }
        )
        let ways = peer.meaning(path).ways(over: try configuration.profile(profile))
        guard path.isByHand || !ways.isEmpty else {
            throw ProtocolError.malformed(
                "The peer has none of these ways.", member: "ways",
                hint: "`godwit peer list --json` shows its endpoints; a link that is carried by hand has the way file.")
        }
        try await core.write { try $0.add(path, to: peer) }
        try await links.changed(peer.descriptor.id)
        return Self.object(try await self.peer(peer.descriptor.id.text))
    }

    /// {`node`, `name`}: frames that were built for it go over the main link.
    func removeLink(_ request: ObjectReader) async throws -> JSONObject {
        let (peer, name) = (try await peer(request.string("node")), try request.string("name"))
        let node = peer.descriptor.id
        guard let moved = try await core.write({ try $0.removeLink(name, of: node) }) else {
            throw ProtocolError.malformed(
                "The peer has no such link besides the main one.", member: "name", hint: Self.known(peer))
        }
        try await links.changed(node)
        if moved > 0 { await links.request(node, path: LinkPath.mainName) }
        return Self.object(try await self.peer(node.text)).setting("moved_frames", .integer(Int64(moved)))
    }

    static func links(of peer: Peer) -> [JSONValue] {
        let carried = LinkPath.carried(by: peer.paths)
        return peer.paths.map { path in
            [
                "name": .string(path.name), "profile": .string(path.profile),
                "ways": .array(path.ways.map { .string($0) }), "by_hand": .bool(path.isByHand),
                "classes": .array((carried[path.name] ?? []).sorted().map { .string($0.name) }),
                "also_after_ms": path.alsoAfter.map { .integer($0.inMillisecondsRoundedUp) } ?? .null,
            ]
        }
    }

    /// Builds the records of one journey by hand: {`to`, `path`?, `max_bytes`? of records with their lengths} gives
    /// `records` in base64.
    func export(_ request: ObjectReader) async throws -> JSONObject {
        let peer = try await peer(request.string("to"))
        let path = try path(request.optionalString("path") ?? LinkPath.mainName, of: peer)
        let most = Int(try request.optionalInteger("max_bytes", in: 256...1_073_741_824) ?? 16_777_216)
        let key = try PeerKey(peer)
        let (outlet, limits) = await links.outlet(for: key.party, path: path.name)
        let parcel = try await outlet.parcel(to: key, frame: limits.frame, runs: limits.runs, most: ByteCount(most))
        return [
            "records": .array(parcel.records.map { .string(Base64.encode($0)) }), "path": .string(path.name),
            "bytes": .integer(Int64(parcel.bytes.bytes)), "frames": .integer(Int64(parcel.records.count - 1)),
            "left": .bool(parcel.isLeft),
        ]
    }

    /// Sends the frames that hold an item over another link as well: {`item`, `over`, `to`?}.
    func resend(_ request: ObjectReader) async throws -> JSONObject {
        let (name, over) = (try SpoolListing.itemID(request.string("item")), try request.string("over"))
        let only = try request.optionalString("to").map { text in try NodeID(text) }
        let peers = try await core.read { try $0.peers() }.filter { only ?? $0.descriptor.id == $0.descriptor.id }
        let moved = try await core.write { transaction in
            guard let prefix = Base32.decode(name), let id = try transaction.spool.ids(beginning: prefix).first else {
                throw SpoolListing.unknownItem
            }
            var moved: [(node: NodeID, frame: FrameSummary)] = []
            for peer in peers {
                let node = peer.descriptor.id
                guard let frame = try transaction.spool.queuePlace(of: id, for: .node(node))?.frame else { continue }
                _ = try Self.path(over, of: peer)
                moved += try transaction.move(of: node, to: over) { $0.number == frame }.map { (node, $0) }
            }
            return moved
        }
        guard !moved.isEmpty else {
            throw ProtocolError(
                .invalidMessageFormat, "No frame holds the item.",
                hint: "What waits goes over the link that carries its class; `godwit spool why` says which.")
        }
        for entry in moved { await links.request(entry.node, path: over) }
        return [
            "item": .string(name), "over": .string(over),
            "frames": .array(
                moved.map { node, frame in
                    [
                        "peer": .string(node.text), "number": .integer(Int64(clamping: frame.number.number)),
                        "from": .string(frame.path), "bytes": .integer(Int64(frame.size.bytes)),
                    ]
                }),
        ]
    }

    private func path(_ name: String, of peer: Peer) throws -> LinkPath { try Self.path(name, of: peer) }

    private static func path(_ name: String, of peer: Peer) throws -> LinkPath {
        guard let path = peer.paths.first(where: { $0.name == name }) else {
            throw ProtocolError.malformed(
                "The peer \(peer.descriptor.id.text) has no such link.", member: "path", hint: known(peer))
        }
        return path
    }

    private static func known(_ peer: Peer) -> String {
        "Known: " + peer.paths.map(\.name).joined(separator: ", ") + ". `godwit peer link add` adds one."
    }

    func peer(_ text: String) async throws -> Peer {
        let id = try NodeID(text)
        guard let peer = try await core.read({ try $0.peers() }).first(where: { $0.descriptor.id == id }) else {
            throw ProtocolError(
                .nodeUnreachable, "The node is no peer of this node.", hint: "`godwit peer list` shows the peers.")
        }
        return peer
    }
}
