import GodwitContact
import GodwitLink
import GodwitProtocol
import Logging

extension PeerLink {
    /// Holds back what the tier in force does not carry, and tells the devices of this node and authors of texts that wait.
    /// - Returns: whether something waits that goes.
    func applyTier() async -> Bool {
        let tier = measure.tiers.up
        await outlet.keep(to: TierRules.of(tier))
        let goes = (try? await outlet.hasWaiting(for: key.party)) ?? true
        let (node, held) = (peer.descriptor.id, await outlet.newlyHeld())
        // Of several links to a node the one that carries direct texts speaks for it.
        guard classes.contains(.directText) else { return goes }
        do {
            let devices = try await core.read { try $0.untold(of: node, tier) }
            guard !devices.isEmpty || !held.isEmpty else { return goes }
            try await core.write { transaction in
                try transaction.tell(devices, of: node, tier)
                try transaction.tellHeld(held, of: node, TierRules.of(tier))
            }
        } catch {
            // A full spool holds up no link: devices are told at the next look.
            core.logger.info("devices could not be told of a link's tier", metadata: ["peer": "\(node)"])
        }
        return goes
    }
}
