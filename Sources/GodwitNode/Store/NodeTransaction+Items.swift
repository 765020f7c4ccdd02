import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension NodeTransaction {
    /// Takes one item of a frame. What cannot be accepted is answered with a refusal to its author; only failures of
    /// the store (full, broken) are thrown, so that the frame stays with its sender.
    func take(_ item: BatchItem, from source: Party) throws {
        do {
            try inSavepoint { try self.dispatch(item, from: source) }
        } catch let unknown as AuthorUnknown where unknown.user.node != context.id {
            try hold(item, from: source, until: unknown.user)
        } catch let error as ProtocolError where error.code != .bandwidthExceeded && error.code != .internalError {
            let (hash, author) = Self.attribution(of: item, from: source)
            try refuse(hash, of: author, because: error)
        } catch is AuthorUnknown {
            // A user of this node: nobody else will introduce the device.
            let (hash, author) = Self.attribution(of: item, from: source)
            try refuse(
                hash, of: author, because: ProtocolError(.userNotFound, "The author's device is not listed here."))
        }
    }

    private func inSavepoint(_ body: () throws -> Void) throws {
        try database.inSavepoint {
            try body()
            return .commit
        }
    }

    private func dispatch(_ item: BatchItem, from source: Party) throws {
        guard item.kind != .message else {
            try accept(try Message(parsing: item.body), from: source, arrival: .spooled(age: item.age))
            return
        }
        try dispatch(try ProtocolObject(parsing: item.body), from: source)
    }

    /// Carries out or passes on an object.
    func dispatch(_ object: ProtocolObject, from source: Party) throws {
        switch object {
        case .introduction(let introduction):
            try take(introduction, from: source)
        case .command(let command): try carryOut(command, from: source)
        case .membership(let membership): try accept(membership, from: source)
        case .memberList(let list): try accept(list, from: source)
        case .epoch(let epoch): try accept(epoch, from: source)
        case .lookup(let lookup): try take(lookup, from: source)
        case .lookupResult(let result): try take(result, from: source)
        case .refusal(let refusal):
            guard case .node = source else {
                throw ProtocolError(.insufficientPermissions, "Refusals come from nodes.")
            }
            try forward(refusal.object, toDevice: refusal.to)
        case .receipt(let receipt):
            guard receipt.from == source || receipt.from.user.map({ .node($0.node) }) == source else {
                throw ProtocolError(.insufficientPermissions, "The receipt is another reader's.")
            }
            try forward(receipt.object, toDevice: receipt.to, kind: .receipt)
        }
    }

    private func take(_ introduction: Introduction, from source: Party) throws {
        // A user's own device may bring a newer list; for users of this node nobody else may.
        if introduction.userID.node == context.id, source.user != introduction.userID {
            throw ProtocolError(.insufficientPermissions, "The users of this node are introduced here, not elsewhere.")
        }
        if case .device(let user, _) = source, user != introduction.userID {
            throw ProtocolError(.insufficientPermissions, "A device introduces its own user only.")
        }
        if try introduce(
            introduction.userID, publicKey: introduction.publicKey, list: introduction.deviceList)
        {
            try releaseHeld(of: introduction.userID)
        }
    }

    /// Keys of a user come from the user's home node only: whoever is first would pin them.
    private func take(_ result: UserLookupResult, from source: Party) throws {
        guard source == .node(result.userID.node) else {
            throw ProtocolError(.insufficientPermissions, "The answer to a lookup comes from the user's home node.")
        }
        if let found = result.found,
            try introduce(result.userID, publicKey: found.publicKey, list: found.deviceList)
        {
            try releaseHeld(of: result.userID)
        }
        try forward(result.object, toDevice: result.requester)
    }

    private func take(_ lookup: UserLookup, from source: Party) throws {
        guard source == lookup.requester || source == .node(lookup.requestingNode) else {
            throw ProtocolError(.insufficientPermissions, "A device looks up for itself only.")
        }
        guard lookup.userID.node == context.id else {
            try requirePeer(lookup.userID.node)
            try enqueueAnew(lookup.object, to: .node(lookup.userID.node))
            return
        }
        guard case .device(let user, let device) = lookup.requester else { return }
        let result = try lookUp(lookup)
        try enqueueAnew(result.object, to: hop(towards: user, device))
    }

    /// A command of a device: signature, counter, then the change (D-8).
    func carryOut(_ command: SignedCommand, from source: Party) throws {
        if case .device(let user, let device) = source, user != command.userID || device != command.device {
            throw ProtocolError(.insufficientPermissions, "A device sends its own commands only.")
        }
        guard let key = try signingKey(of: command.userID, command.device) else {
            throw AuthorUnknown(user: command.userID)
        }
        try KeyChecks.verify(command.object, signedBy: key, purpose: .command)
        guard try advanceCounter(command) else { return }
        let fields = ObjectReader(command.data, what: "command")
        switch command.name {
        case "create_channel": try createChannel(command.channel(), by: joiner(fields, command))
        case "join_channel": try joinChannel(command.channel(), by: joiner(fields, command), command: command)
        case "publish_keys":
            try publish(
                SignedPreKey(fields.value("signed_pre_key")), oneTime: Self.oneTimeKeys(fields),
                of: command.userID, command.device)
        default:
            throw ProtocolError.malformed(
                "The command is unknown.", member: "command", hint: "The sender may speak a newer version.")
        }
    }

    static func oneTimeKeys(_ fields: ObjectReader) throws(ProtocolError) -> [OneTimePreKey] {
        var keys: [OneTimePreKey] = []
        for entry in try fields.array("one_time_pre_keys") {
            guard let object = entry.object else {
                throw .malformed("A one-time pre-key is an object.", member: "one_time_pre_keys")
            }
            keys.append(try OneTimePreKey(object))
        }
        return keys
    }

    private func joiner(_ fields: ObjectReader, _ command: SignedCommand) throws -> Joiner {
        let preKey = try SignedPreKey(fields.value("pre_key"))
        guard preKey.userID == command.userID, preKey.device == command.device,
            let key = try signingKey(of: preKey.userID, preKey.device)
        else { throw ProtocolError(.insufficientPermissions, "The pre-key is another device's.") }
        try KeyChecks.verify(preKey.object, signedBy: key, purpose: .preKey)
        return Joiner(preKey: preKey)
    }

    // MARK: Held items

    /// Keeps an item whose author is not known yet; beyond the limit the oldest is refused.
    private func hold(_ item: BatchItem, from source: Party, until user: UserID) throws {
        try run(
            """
            INSERT INTO node_held (waits_for, source, kind, body, created, lifetime, age)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                user.text, source.text, item.kind.rawValue, Data(item.body), item.created.milliseconds, item.lifetime,
                item.age,
            ])
        let count = try row("SELECT count(*) AS n FROM node_held")?["n"] as Int64? ?? 0
        guard count > Int64(context.heldMax), let oldest = try row("SELECT * FROM node_held ORDER BY held LIMIT 1")
        else { return }
        let dropped = try heldItem(oldest)
        try run("DELETE FROM node_held WHERE held = ?", [oldest["held"] as Int64])
        let (hash, author) = Self.attribution(of: dropped.item, from: dropped.source)
        try refuse(
            hash, of: author,
            because: ProtocolError(.userNotFound, "The author's device was never introduced to the reader's node."))
    }

    private func releaseHeld(of user: UserID) throws {
        let held = try rows("SELECT * FROM node_held WHERE waits_for = ? ORDER BY held", [user.text])
        for row in held {
            try run("DELETE FROM node_held WHERE held = ?", [row["held"] as Int64])
            let (item, source) = try heldItem(row)
            try take(item, from: source)
        }
    }

    private func heldItem(_ row: Row) throws -> (item: BatchItem, source: Party) {
        (
            BatchItem(
                kind: BatchItem.Kind(rawValue: Int(row["kind"] as Int64)) ?? .object,
                body: [UInt8](row["body"] as Data),
                created: Timestamp(milliseconds: row["created"]), lifetime: row["lifetime"], age: row["age"],
                priority: .control),
            try Party(row["source"] as String)
        )
    }

    /// Hash of an item and the device to which a refusal goes, as far as the item says.
    static func attribution(of item: BatchItem, from source: Party) -> (hash: [UInt8], author: Party) {
        guard let object = try? JSONObject.parse(item.body, limits: JSONLimits(bytes: ProtocolObject.bytesMax)) else {
            return (SHA256Digest.of(item.body), source)
        }
        let user = (object["author"] ?? object["user_id"])?.string.flatMap { try? UserID($0) }
        let device = object["device"]?.string.flatMap { try? DeviceID($0) }
        let author: Party = if let user, let device { .device(user, device) } else { source }
        guard item.kind == .message else { return (SHA256Digest.of(item.body), author) }
        let previous = object["prev"]?.string.flatMap { MessageHash(base64: $0) }
        return (
            MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: previous).bytes, author
        )
    }
}
