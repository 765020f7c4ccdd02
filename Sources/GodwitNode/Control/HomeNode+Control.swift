import GodwitContact
import GodwitCrypto
import GodwitLink
public import GodwitProtocol
import GodwitSpool

/// What an operator asks of a node: over the control socket of a running node, or straight in the tool.
///
/// A request is {`request`: name, …}; the answer is {`result`: …} or an error object.
extension HomeNode {
    /// Never throws: failures are answered as 004 §14.1 says.
    public func control(_ request: JSONObject) async -> JSONObject {
        do {
            return ["result": try await answer(ObjectReader(request, what: "control request"))]
        } catch let error as ProtocolError {
            return error.object(at: core.time.now())
        } catch let error as SpoolError {
            return ProtocolError(.internalError, "\(error)").object(at: core.time.now())
        } catch {
            return ProtocolError(.internalError, "The request failed on the node: \(error)").object(at: core.time.now())
        }
    }

    private func answer(_ request: ObjectReader) async throws -> JSONValue {
        switch try request.string("request") {
        case "status": return .object(try await status())
        case "descriptor": return .object(home.descriptor.object)
        case "peers": return .array(try await core.read { try $0.peers() }.map { .object(Self.object($0)) })
        case "add_peer": return .object(try await addPeer(request))
        case "add_link": return .object(try await addLink(request))
        case "remove_link": return .object(try await removeLink(request))
        case "channels": return .array(try await core.read { try $0.channelRows() })
        case "users": return .array(try await core.read { try $0.userRows() })
        case "export_user":
            return .object(try await CommandDesk.export(request.userID("user_id"), request, from: core))
        case "erase_user": return .object(try await eraseUser(request))
        case "links": return .array(try await links.status().map { .object($0.object) })
        case "link_history": return .array(try await history(request))
        case "link_probe": return .object(try await probe(request))
        case "contact":
            let path = try request.optionalString("path")
            return .bool(await links.request(try NodeID(request.string("node")), path: path))
        case "spool_list": return .array(try await list(request))
        case "spool_show": return .object(try await show(request))
        case "spool_why": return .object(try await why(request))
        case "spool_verify": return .object(try await verify())
        case "spool_resend": return .object(try await resend(request))
        case "explain": return .array(try await explain(request))
        case "export": return .object(try await export(request))
        case "import": return .object(try await takeIn(request))
        default: return try await operate(request)
        }
    }

    private func status() async throws -> JSONObject {
        let counts = try await core.read { try $0.counts() }
        let destinations = try await core.spool.read { transaction in
            try transaction.destinations().map { party in
                let queues = try transaction.queues(for: party)
                let held = try transaction.inFlight(to: party)
                return JSONValue.object([
                    "destination": .string(party.text),
                    "waiting": .integer(Int64(queues.values.reduce(0) { $0 + $1.count })),
                    "bytes": .integer(Int64(queues.values.reduce(0) { $0 + $1.bytes.bytes })),
                    "frames": .integer(Int64(held.count)),
                ])
            }
        }
        var status = counts
        status["id"] = .string(home.id.text)
        status["name"] = .string(home.descriptor.name)
        status["sockets"] = .integer(Int64(await presence.count))
        status["time"] = .string(core.time.now().description)
        status["queues"] = .array(destinations)
        if let report = broadcastIntake.report { status["broadcast"] = .object(report) }
        return status
    }

    private func addPeer(_ request: ObjectReader) async throws -> JSONObject {
        let profile = try request.optionalString("profile") ?? "broadband"
        _ = try configuration.profile(profile)
        guard let trust = TrustLevel(rawValue: try request.optionalString("trust") ?? "trusted") else {
            throw ProtocolError.malformed("Trust is trusted, monitored, unknown or blocked.", member: "trust")
        }
        let descriptor = try NodeDescriptor(request.value("descriptor"))
        let serial = try request.optionalString("serial").map { text in try SerialEndpoint(text) }
        let order = try request.optionalString("order")?.split(separator: ",").map(String.init) ?? []
        try CarrierWay.check(preference: order, endpoints: descriptor.endpoints, serial: serial)
        let canCall = !descriptor.endpoints.isEmpty || serial != nil
        let calls = request.object["calls"]?.bool ?? canCall
        guard !calls || canCall else {
            throw ProtocolError(
                .invalidMessageFormat, "The peer has no endpoint that could be called.",
                hint: "Add it without --call; it can still call this node.")
        }
        let peer = Peer(
            descriptor: descriptor, trust: trust, profile: profile, calls: calls, serial: serial, order: order,
            classes: try request.optionalString("classes").map { text in try LinkPath.classes(text) })
        try await core.write { transaction in
            try transaction.add(peer)
            try transaction.audit(.peerAdded, subject: descriptor.id.text, trust.rawValue)
            try transaction.checkLinks(of: descriptor.id)
        }
        try await links.changed(descriptor.id)
        return Self.object(try await self.peer(descriptor.id.text))
    }

    static func object(_ peer: Peer) -> JSONObject {
        [
            "id": .string(peer.descriptor.id.text), "name": .string(peer.descriptor.name),
            "trust": .string(peer.trust.rawValue), "profile": .string(peer.profile), "calls": .bool(peer.calls),
            "endpoints": .array(peer.descriptor.endpoints.map { .string($0) }),
            "serial": peer.serial.map { .string($0.text) } ?? .null,
            "order": .array(peer.order.map { .string($0) }),
            "links": .array(links(of: peer)),
            "public_key": .string(PublicKeyText.text(ed25519: peer.descriptor.publicKey)),
        ]
    }

    // MARK: Spool

    private func list(_ request: ObjectReader) async throws -> [JSONValue] {
        let destination = try request.optionalString("destination").map { text in try Party(text) }
        let limit = Int(try request.optionalInteger("limit", in: 1...10_000) ?? 100)
        return try await core.spool.read { transaction in
            try SpoolListing.list(for: destination, limit: limit, in: transaction)
        }
    }

    private func show(_ request: ObjectReader) async throws -> JSONObject {
        let id = try SpoolListing.itemID(request.string("item"))
        return try await core.spool.read { transaction in
            try SpoolListing.show(id, in: transaction)
        }
    }

    private func why(_ request: ObjectReader) async throws -> JSONObject {
        let name = try SpoolListing.itemID(request.string("item"))
        return try await SpoolWhy(core: core, links: links, presence: presence).answer(name)
    }

    private func verify() async throws -> JSONObject { SpoolListing.object(try await core.spool.verify()) }

    /// Says what the bytes of records are spent on; `place` of the first in its file, from 1.
    private func explain(_ request: ObjectReader) async throws -> [JSONValue] {
        let first = try request.optionalInteger("place", in: 1...JSONValue.integerMax) ?? 1
        let explainer = BatchExplainer(
            spool: core.spool, directory: NodeDirectory(spool: core.spool, own: home.noiseKey.publicKey),
            identity: ContactIdentity(party: .node(home.id), noiseKey: home.noiseKey))
        var explained: [JSONValue] = []
        for (index, entry) in try request.array("records").enumerated() {
            guard let record = entry.string.flatMap(Base64.decode) else {
                throw ProtocolError.malformed("A record is padded base64.", member: "records")
            }
            explained.append(.object(try await explainer.explain(record, place: first + Int64(index))))
        }
        return explained
    }

    /// Takes in records that were carried by hand.
    private func takeIn(_ request: ObjectReader) async throws -> JSONObject {
        var items = 0
        var repeated = 0
        var refused = 0
        var released = 0
        for entry in try request.array("records") {
            guard let record = entry.string.flatMap(Base64.decode) else {
                throw ProtocolError.malformed("A record is padded base64.", member: "records")
            }
            do {
                let taken = try await links.take(record)
                items += taken.items
                released += taken.released
                repeated += taken.isRepeat ? 1 : 0
            } catch let error as ProtocolError where error.code != .bandwidthExceeded {
                refused += 1
            }
        }
        return [
            "items": .integer(Int64(items)), "repeated_frames": .integer(Int64(repeated)),
            "refused_frames": .integer(Int64(refused)), "released": .integer(Int64(released)),
        ]
    }

}
