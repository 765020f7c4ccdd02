import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension NodeTransaction {
    /// The party that something for a user's device goes to next: the device itself here, else its node.
    func hop(towards user: UserID, _ device: DeviceID) throws -> Party {
        if user.node == context.id { return .device(user, device) }
        try requirePeer(user.node)
        return .node(user.node)
    }

    /// - Throws: `ProtocolError` 3000 for a node that is no peer, 1002 for a blocked one.
    func requirePeer(_ node: NodeID) throws {
        guard let row = try row("SELECT trust FROM node_peer WHERE node = ?", [node.text]) else {
            throw ProtocolError(
                .nodeUnreachable, "The node is no peer of this node.",
                hint: "The operator can add it with `godwit peer add`.", details: ["node": .string(node.text)])
        }
        guard row["trust"] as String != "blocked" else {
            throw ProtocolError(
                .insufficientPermissions, "The node is blocked here.", details: ["node": .string(node.text)])
        }
    }

    /// Makes sure that a party learns of a user before what comes from that user reaches it.
    func ensureIntroduced(_ user: UserID, to party: Party) throws {
        // A node knows its own users, a device its own user.
        switch party {
        case .node(let node) where node == user.node: return
        case .device(let owner, _) where owner == user: return
        default: break
        }
        // Asked for every message, so no list is read where it was given already.
        let statement = try spool.prepared(
            """
            SELECT 1 FROM node_introduction i JOIN node_user u ON u.user = i.user
            WHERE i.party = ? AND i.user = ? AND i.version >= u.list_version
            """)
        statement.bind(1, party.text)
        statement.bind(2, user.text)
        let isGiven = try statement.first { _ in true } ?? false
        guard !isGiven, let known = try self.user(user), let list = known.deviceList else { return }
        let introduction = Introduction(userID: user, publicKey: known.publicKey, deviceList: list)
        // Given once for each version, as the table says; so it is new, also where an earlier one was lost on the way.
        try enqueueAnew(introduction.object, to: party)
        try run(
            """
            INSERT INTO node_introduction (party, user, version) VALUES (?, ?, ?)
            ON CONFLICT (party, user) DO UPDATE SET version = excluded.version
            """, [party.text, user.text, list.version])
        try tellMove(of: user, to: party)
    }

    /// Queues an object for a party, introducing first whoever it speaks of.
    func route(_ object: JSONObject, to party: Party, about users: [UserID], kind: ItemKind = .object) throws {
        for user in users { try ensureIntroduced(user, to: party) }
        try enqueue(object, to: party, kind: kind)
    }

    /// Tells an author's device that its item goes no further.
    func refuse(_ item: [UInt8], of author: Party, because error: ProtocolError) throws {
        guard case .device(let user, let device) = author else { return }
        let refusal = Refusal(item: item, to: author, error: error, at: now)
        if user.node == context.id, try signingKey(of: user, device) == nil { return }
        // An author whose node cannot be reached cannot be told either; nor one for whom too much waits already.
        guard let hop = try? hop(towards: user, device) else { return }
        do { try enqueue(refusal.object, to: hop) } catch let error as ProtocolError where !error.isOfStore {}
    }

    /// Passes on an object that is for one device.
    func forward(_ object: JSONObject, toDevice party: Party, kind: ItemKind = .object) throws {
        guard case .device(let user, let device) = party else {
            throw ProtocolError.malformed("The object is for no device.", member: "to")
        }
        if user.node == context.id, try signingKey(of: user, device) == nil {
            throw ProtocolError(.userNotFound, "The device is not listed here.")
        }
        try enqueue(object, to: hop(towards: user, device), kind: kind)
    }
}
