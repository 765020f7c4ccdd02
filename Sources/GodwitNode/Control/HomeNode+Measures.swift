public import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol

extension HomeNode: ProbeService {
    public func admitProbe(_ record: [UInt8]) async throws {
        try core.gate.frame()
        do {
            let taken = try await links.intake.take(record)
            try await probes.admit(taken.peer.party, at: core.time.uptime())
        } catch let error as ProtocolError {
            if error.code == .invalidCredentials { core.gate.forgedFrame() }
            throw error
        }
    }

    /// {`node`, `path`?, `up`?, `down`?}: measures a link to a node now.
    func probe(_ request: ObjectReader) async throws -> JSONObject {
        let most = Int64(Probe.bytesMax)
        return try await links.probe(
            NodeID(request.string("node")), path: try request.optionalString("path") ?? LinkPath.mainName,
            up: Int(try request.optionalInteger("up", in: 0...most) ?? 65_536),
            down: Int(try request.optionalInteger("down", in: 0...most) ?? 65_536))
    }

    /// {`node`?, `hours`?}: what was seen of each link, hour by hour, oldest first.
    func history(_ request: ObjectReader) async throws -> [JSONValue] {
        let wanted = try request.optionalString("node").map { text in try NodeID(text) }
        let limit = Int(try request.optionalInteger("hours", in: 1...Int64(LinkHour.kept)) ?? Int64(LinkHour.kept))
        return try await core.read { transaction in
            let peers = try transaction.peers()
            guard wanted.map({ node in peers.contains { $0.descriptor.id == node } }) ?? true else {
                throw ProtocolError.malformed(
                    "The node is no peer.", member: "node", hint: "See `godwit peer list`.")
            }
            return try peers.filter { wanted == nil || $0.descriptor.id == wanted }.flatMap { peer in
                try peer.paths.map { path in
                    let hours = try transaction.history(of: path.account(of: peer.descriptor.id), limit: limit)
                    return [
                        "peer": .string(peer.descriptor.id.text), "path": .string(path.name),
                        "profile": .string(path.profile), "hours": .array(hours.map { .object($0.object) }),
                    ]
                }
            }
        }
    }
}
