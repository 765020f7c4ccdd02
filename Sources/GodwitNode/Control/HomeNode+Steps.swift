package import GodwitBatch
package import GodwitContact
package import GodwitProtocol
import GodwitSpool

/// What `run` does in its own time, one step at a time: for whoever decides when time passes and links are there.
extension HomeNode {
    /// What is due twice a minute.
    /// - Parameter elapsed: milliseconds of uptime since the last time.
    package func keepHouse(elapsed: Int64) async throws {
        try await expire(elapsed: elapsed)
        try await links.takeOver()
        try await authenticator.noteRefusals()
    }

    /// One contact with a peer over the main link to it, on a carrier of the caller's.
    ///
    /// - Throws: `ProtocolError` 3000 for a node that is no peer; what the carrier throws.
    package func contact(
        _ node: NodeID, over carrier: any Carrier, exchangesMax: Int
    ) async throws -> ContactReport {
        let key = try PeerKey(try await peer(node.text))
        let (outlet, limits) = await links.outlet(for: key.party)
        return try await NodeCaller(intake: links.intake, outlet: outlet).contact(
            with: key, over: carrier, limits: limits, exchangesMax: exchangesMax)
    }

    /// Closes the store. Nothing is lost without it.
    package func close() async throws { try await core.spool.close() }
}
