import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// A lookup in a frame that is one too many for now.
struct LookupLimited: Error {
    var wait: Gatekeeper.Wait
}

/// Lookups that frames bring are limited like those over sockets. A frame cannot be refused for one of its items, and the
/// item must not be lost: it waits here until the limit lets it through, or is refused if too many wait already.
extension NodeTransaction {
    /// Lookups of one sender that wait.
    static let waitingLookupsMax: Int64 = 256
    /// Begins what such items wait for; no user or channel is called so.
    static let lookupsKey = "claims/"

    /// - Throws: `LookupLimited` where the requester or the neighbour has asked too often.
    func admit(_ object: ProtocolObject, from source: Party) throws {
        guard let gate, case .lookup(let lookup) = object, let user = lookup.requester.user,
            let wait = gate.lookup(by: user, from: source)
        else { return }
        NodeMetrics.limited(wait.limit)
        throw LookupLimited(wait: wait)
    }

    func delay(_ item: BatchItem, from source: Party, until limited: LookupLimited) throws {
        let key = Self.lookupsKey + source.text
        let waiting = try row("SELECT count(*) AS n FROM node_held WHERE waits_for = ?", [key])?["n"] as Int64? ?? 0
        guard waiting < Self.waitingLookupsMax else {
            return try refuse(item, from: source, because: limited.wait.error)
        }
        try hold(item, from: source, until: key)
    }

    /// Lets waiting lookups through, each sender's in their order, as far as the limits allow.
    func takeUpLookups() throws {
        guard let gate else { return }
        let uptime = try spool.uptime()
        // "/" is followed by "0", so this is the range of all texts that begin with the key.
        let waiting = try rows(
            "SELECT * FROM node_held WHERE waits_for >= ? AND waits_for < ? ORDER BY waits_for, held",
            [Self.lookupsKey, String(Self.lookupsKey.dropLast()) + "0"])
        var stopped: Set<Party> = []
        for row in waiting {
            let source = try Party(row["source"] as String)
            guard !stopped.contains(source) else { continue }
            guard case .lookup(let lookup)? = try? ProtocolObject(parsing: [UInt8](row["body"] as Data)),
                let user = lookup.requester.user
            else { continue }
            if let wait = gate.lookup(by: user, from: source) {
                // Another user of the same neighbour may still ask.
                if case .device = source { stopped.insert(source) }
                if wait.limit == "neighbour_claims" { stopped.insert(source) }
                continue
            }
            let item = try takeOut(row, at: uptime).item
            try attempt(item, from: source, isAdmitted: true)
        }
    }
}
