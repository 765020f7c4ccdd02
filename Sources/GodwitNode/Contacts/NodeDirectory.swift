import FoundationEssentials
import GRDB
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Finds the sender of a frame among peers and the devices of local users.
struct NodeDirectory: PeerDirectory {
    let spool: SQLiteSpool
    let own: AgreementPublicKey
    let cache = HintCache()

    func candidates(for hint: FrameHint) async throws -> [PeerKey] {
        if let known = cache.find(hint) { return known }
        // Something may have registered since the cache was filled.
        let clearings = cache.clearings
        let keys = try await spool.read { try Self.keys(in: $0.database) }
        return cache.fill(keys, readAt: clearings, towards: own, finding: hint)
    }

    /// Everybody whose frames are taken, and to whom frames are made.
    func keys() async throws -> [PeerKey] { try await spool.read { try Self.keys(in: $0.database) } }

    private static func keys(in database: Database) throws -> [PeerKey] {
        let devices = try Row.fetchAll(
            database,
            sql: """
                SELECT d.user, d.device, d.noise_key FROM node_device d JOIN node_user u ON u.user = d.user
                WHERE u.is_local
                """)
        let peers = try Row.fetchAll(
            database, sql: "SELECT node, noise_key FROM node_peer WHERE trust <> 'blocked'")
        return try devices.map { row in
            PeerKey(
                party: .device(try UserID(row["user"] as String), try DeviceID(row["device"] as String)),
                noiseKey: try AgreementPublicKey([UInt8](row["noise_key"] as Data)))
        }
            + peers.map { row in
                PeerKey(
                    party: .node(try NodeID(row["node"] as String)),
                    noiseKey: try AgreementPublicKey([UInt8](row["noise_key"] as Data)))
            }
    }
}
