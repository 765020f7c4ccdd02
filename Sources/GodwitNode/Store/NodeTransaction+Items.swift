import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension NodeTransaction {
    /// Takes one item of a frame. What cannot be accepted is answered with a refusal to its author, what lacks something
    /// is held; only failures of the store (full, broken) are thrown, so that the frame stays with its sender.
    func take(_ item: BatchItem, from source: Party) throws {
        try attempt(item, from: source)
        try takeUpHeld()
    }

    /// - Parameter isAdmitted: it has waited for its turn, and is not counted again.
    func attempt(_ item: BatchItem, from source: Party, isAdmitted: Bool = false) throws {
        do {
            try inSavepoint { try self.dispatch(item, from: source, isAdmitted: isAdmitted) }
        } catch let limited as TurnLimited {
            try delay(item, from: source, until: limited)
        } catch let unknown as AuthorUnknown where unknown.user.node != context.id {
            try hold(item, from: source, until: unknown.user.text)
        } catch let unknown as MembershipUnknown {
            try postpone(item, from: source, until: unknown)
        } catch let unknown as ChangeUnknown {
            try hold(item, from: source, until: unknown.key)
        } catch let banned as AuthorBanned {
            try holdForModerator(banned, from: source, age: item.age)
        } catch is AuthorUnknown {
            // A user of this node: nobody else will introduce the device.
            try refuse(item, from: source, because: .deviceUnlisted)
        } catch let error as ProtocolError where !error.isOfStore {
            try refuse(item, from: source, because: error)
        } catch is CryptoError {
            try refuse(
                item, from: source,
                because: ProtocolError(.invalidCredentials, "A key in the item cannot be used."))
        }
    }

    /// Tells an item's author that it goes no further, as far as the item names one.
    func refuse(_ item: BatchItem, from source: Party, because error: ProtocolError) throws {
        let (hash, author) = Self.attribution(of: item, from: source)
        try refuse(hash, of: author, because: error)
    }

    private func dispatch(_ item: BatchItem, from source: Party, isAdmitted: Bool) throws {
        guard item.kind != .message else {
            try accept(try Message(parsing: item.body), from: source, arrival: .spooled(age: item.age))
            return
        }
        let object = try ProtocolObject(parsing: item.body)
        if !isAdmitted { try admit(object, from: source) }
        try dispatch(object, from: source)
    }

    /// Carries out or passes on an object.
    func dispatch(_ object: ProtocolObject, from source: Party) throws {
        switch object {
        case .introduction(let introduction):
            try take(introduction, from: source)
        case .command(let command): try carryOut(command, from: source)
        case .membership(let membership): try accept(membership, from: source)
        case .memberList(let list): try accept(list, from: source)
        case .memberKeys(let keys): try accept(keys, from: source)
        case .invitation(let invitation): try accept(invitation, from: source)
        case .epoch(let epoch): try accept(epoch, from: source)
        case .epochKey(let key): try accept(key, from: source)
        case .lookup(let lookup): try take(lookup, from: source)
        case .lookupResult(let result): try take(result, from: source)
        case .refusal(let refusal):
            guard case .node = source else {
                throw ProtocolError(.insufficientPermissions, "Refusals come from nodes.")
            }
            guard try !endProfileQuestion(refusal) else { return }
            try forward(refusal.object, toDevice: refusal.to)
        case .receipt(let receipt):
            guard receipt.from == source || receipt.from.user.map({ .node($0.node) }) == source else {
                throw ProtocolError(.insufficientPermissions, "The receipt is another reader's.")
            }
            try forward(receipt.object, toDevice: receipt.to, kind: .receipt)
        case .linkStatus(let notice):
            guard .node(notice.from) == source, notice.held != nil else {
                throw ProtocolError(
                    .insufficientPermissions, "A node tells of its own links only, and of held messages.")
            }
            try forward(notice.object, toDevice: notice.to)
        case .deletion(let deletion): try accept(deletion, from: source)
        case .presence(let notice): try accept(notice, from: source)
        case .typing(let notice): try accept(notice, from: source)
        case .readMarker(let marker): try accept(marker, from: source)
        case .erasure(let erasure): try accept(erasure, from: source)
        case .messageRequest(let request): try take(request, from: source)
        case .messageAnswer(let answer): try take(answer, from: source)
        case .resealed(let resealed): try take(resealed, from: source)
        case .moved(let move): try accept(move, from: source)
        case .heldMessages(let held): try take(held, from: source)
        case .custodyQuestion(let question): try take(question, from: source)
        case .userMoved(let move): try accept(move, from: source)
        case .cover: return
        case .preKeyStock, .custody, .conversationHeads:
            throw ProtocolError(.insufficientPermissions, "A device learns of that from its own node.")
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
        try introduce(
            introduction.userID, publicKey: introduction.publicKey, list: introduction.deviceList, from: source)
    }

    /// Keys of a user come from the user's home node only: whoever is first would pin them.
    private func take(_ result: UserLookupResult, from source: Party) throws {
        guard source == .node(result.userID.node) else {
            throw ProtocolError(.insufficientPermissions, "The answer to a lookup comes from the user's home node.")
        }
        guard !result.isProfile else { return try takeProfile(result) }
        if let found = result.found {
            try introduce(result.userID, publicKey: found.publicKey, list: found.deviceList, from: source)
            try noteGiven(found.deviceList, to: result.requester)
        }
        try forward(result.object, toDevice: result.requester)
        try tellMove(of: result.userID, to: result.requester)
    }

    private func take(_ lookup: UserLookup, from source: Party) throws {
        guard source == lookup.requester || source == .node(lookup.requestingNode) else {
            throw ProtocolError(.insufficientPermissions, "A device looks up for itself only.")
        }
        if lookup.isProfile, case .device = source {
            throw ProtocolError.malformed("A device asks with get_user.", member: "profile")
        }
        guard lookup.userID.node == context.id else {
            try requirePeer(lookup.userID.node)
            try enqueueAnew(lookup.object, to: .node(lookup.userID.node))
            return
        }
        guard case .device(let user, let device) = lookup.requester else { return }
        guard !lookup.isProfile else {
            try enqueueAnew(answerProfile(lookup, for: user).object, to: hop(towards: user, device))
            return
        }
        let result = try lookUp(lookup)
        let hop = try hop(towards: user, device)
        if let found = result.found { try noteGiven(found.deviceList, to: hop) }
        try enqueueAnew(result.object, to: hop)
        try tellMove(of: lookup.userID, to: hop)
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
        case "create_channel":
            let wanted = try NewChannel(command.data, node: context.id)
            created = try createChannel(wanted, by: join(fields, command), command: command)
        case "join_channel": try joinChannel(command.channel(), by: join(fields, command), command: command)
        case "publish_keys":
            let oneTime = try Self.oneTimeKeys(fields)
            let taken = try publish(
                SignedPreKey(fields.value("signed_pre_key")), kem: Self.kemPreKey(fields), oneTime: oneTime,
                of: command.userID, command.device)
            if oneTime.isEmpty { try tellLowStock(of: command.userID, command.device) }
            guard taken < oneTime.count else { return }
            // What could be taken stays: only the rest is refused.
            try refuse(
                SHA256Digest.of(command.object.canonicalBytes()), of: .device(command.userID, command.device),
                because: .oneTimeKeysFull(taken: taken))
        case "list_held": try answerListHeld(command)
        case _ where Self.channelCommands.contains(command.name): try carryOutChannelCommand(command)
        case "erase_account": try eraseAccount(command.userID)
        default:
            throw ProtocolError.malformed(
                "The command is unknown.", member: "command", hint: "The sender may speak a newer version.")
        }
    }

    static func kemPreKey(_ fields: ObjectReader) throws(ProtocolError) -> KEMPreKey? {
        try fields.optionalObject("kem_pre_key").map { reader throws(ProtocolError) in try KEMPreKey(reader.object) }
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

    private func join(_ fields: ObjectReader, _ command: SignedCommand) throws -> PendingJoin {
        let preKey = try SignedPreKey(fields.value("pre_key"))
        guard preKey.userID == command.userID, preKey.device == command.device,
            let key = try signingKey(of: preKey.userID, preKey.device)
        else { throw ProtocolError(.insufficientPermissions, "The pre-key is another device's.") }
        try KeyChecks.verify(preKey.object, signedBy: key, purpose: .preKey)
        return PendingJoin(
            joiner: Joiner(preKey: preKey), item: SHA256Digest.of(command.object.canonicalBytes()))
    }

    /// Hash of an item and the device to which a refusal goes, as far as the item says.
    static func attribution(of item: BatchItem, from source: Party) -> (hash: [UInt8], author: Party) {
        guard let object = try? JSONObject.parse(item.body, limits: JSONLimits(bytes: ProtocolObject.bytesMax)) else {
            return (SHA256Digest.of(item.body), source)
        }
        if object["type"] == "user_lookup", let requester = object["requester"]?.string.flatMap({ try? Party($0) }) {
            return (SHA256Digest.of(item.body), requester)
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
