import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Sealing again: the author's device sends a message once more to a device that could not open it, over a session of
/// those two. The chain of the conversation stays as it is (docs/protocol.md §7).
extension ClientTransaction {
    /// How often one message is sealed again for one device.
    static let resealsMax: Int64 = 3
    /// Milliseconds of uptime for which a message that was sealed again may be under way, and longer where contacts are rare.
    static let resealPatience: Int64 = 259_200_000
    /// Member of the clear content that says what the message was.
    private static let origin = "sealed_again"

    // MARK: The author's part

    /// Notes where a message stands in its chain.
    func noteSealed(_ message: Message, of entry: OutboxEntry) throws {
        let membership = try message.epoch.flatMap { try epoch($0)?.membership }
        try run(
            """
            INSERT OR REPLACE INTO client_sealed (hash, row, seq, prev, body_hash, membership) VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                Data(message.hash.bytes), entry.row, message.sequence, message.previous.map { Data($0.bytes) },
                Data(message.bodyHash), membership,
            ])
    }

    /// Seals a message again for devices that have not asked for it.
    func sealAgain(_ hash: [UInt8], for devices: [DeviceAddress]) throws {
        for device in devices {
            try run(
                """
                INSERT OR IGNORE INTO client_reseal (hash, user, device, number, reason, waits, asked)
                VALUES (?, ?, ?, 0, ?, 1, ?)
                """,
                [
                    Data(hash), device.user.text, device.device.text, MessageRequest.Reason.noEntry.rawValue,
                    try age(),
                ])
        }
    }

    /// A reader's device cannot open messages of this one, or lacks them.
    func take(_ request: MessageRequest) throws {
        guard request.to.party == context.party else {
            throw Rejected(.misdirected, "A request to another device arrived here.")
        }
        guard let known = try device(request.from.user, request.from.device) else {
            throw Waiting(.device(request.from.user, request.from.device))
        }
        try KeyChecks.verify(request.object, signedBy: known.signingKey, purpose: .reseal)
        if request.reason.endsSessions {
            for session in request.sessions { try endSession(session, for: request) }
        }
        let runs = Dictionary(zip(request.items, request.runs)) { first, _ in first }
        var holes: [[UInt8]: HoleReason] = [:]
        for item in request.left {
            for hash in try chain(endingAt: item, runs[item] ?? 1) {
                if let reason = try reseal(hash, for: request) { holes[Array(hash.prefix(10))] = reason }
            }
        }
        guard !holes.isEmpty else { return }
        let answer = MessageAnswer.unsigned(
            from: context.party, to: request.from, author: request.to, holes: holes,
            via: request.name.channelNode, at: now)
        try enqueue(context.signing.signed(answer, purpose: .reseal))
    }

    /// A session is of no use to the reader, nor are those that it follows from: had the reader their keys, it could have
    /// made this one. Without them the next one is a first contact with new pre-keys, and not their child again.
    /// Of others that were written on since and never answered nothing says that the reader has them: each of those would
    /// cost one more sealing in vain.
    private func endSession(_ id: String, for request: MessageRequest) throws {
        guard try session(id, with: request.from.user, request.from.device) != nil else { return }
        var next: String? = id
        while let session = next {
            let key: StatementArguments = [request.from.user.text, request.from.device.text, session]
            let place = "FROM client_session WHERE user = ? AND device = ? AND session = ?"
            next = try row("SELECT parent \(place)", key)?["parent"]
            try run("DELETE \(place)", key)
        }
        for row in try rows(
            "SELECT session, state FROM client_session WHERE user = ? AND device = ?",
            [request.from.user.text, request.from.device.text])
        {
            let session = try Self.stored { try Session(decoding: row.blob("state")) }
            guard session.isUnanswered, session.ratchet.sendingPosition > 0 else { continue }
            try run(
                "DELETE FROM client_session WHERE user = ? AND device = ? AND session = ?",
                [request.from.user.text, request.from.device.text, row["session"] as String])
        }
    }

    /// The messages that an item stands for, oldest first; the item itself if it is not known here.
    private func chain(endingAt item: [UInt8], _ count: Int64) throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        var row = try self.row(
            "SELECT hash, prev FROM client_sealed WHERE hash BETWEEN ? AND ?",
            [Data(item + [UInt8](repeating: 0, count: 22)), Data(item + [UInt8](repeating: 255, count: 22))])
        while let known = row, found.count < count {
            found.append(known.blob("hash"))
            row = try known.optionalBlob("prev").flatMap { prev in
                try self.row("SELECT hash, prev FROM client_sealed WHERE hash = ?", [Data(prev)])
            }
        }
        return found.isEmpty ? [item + [UInt8](repeating: 0, count: 22)] : found.reversed()
    }

    /// - Returns: why it is not sealed again; nil if it is, or if the request is an old one.
    private func reseal(_ hash: [UInt8], for request: MessageRequest) throws -> HoleReason? {
        guard
            let entry = try row(
                """
                SELECT o.state, o.hole, o.conversation, s.membership FROM client_outbox o
                JOIN client_sealed s ON s.hash = o.hash WHERE o.hash = ?
                """, [Data(hash)]), entry["conversation"] as String == request.conversation.text
        else { return .gone }
        guard try mayRead(request, membership: entry["membership"]) else { return .notAllowed }
        guard entry["hole"] as String? == nil else { return .deleted }
        guard entry["state"] as String != OutboxEntry.State.refused.rawValue else { return .refused }
        let (user, device) = (request.from.user.text, request.from.device.text)
        let before = try row(
            "SELECT number, times, waits, session, sealed FROM client_reseal WHERE hash = ? AND user = ? AND device = ?",
            [Data(hash), user, device])
        // A request that came before, or was overtaken, changes nothing.
        guard request.number > before?["number"] as Int64? ?? 0 else { return nil }
        if let before, try isUnderWay(before, for: request) {
            try run(
                "UPDATE client_reseal SET number = ? WHERE hash = ? AND user = ? AND device = ?",
                [request.number, Data(hash), user, device])
            return nil
        }
        guard before?["times"] as Int64? ?? 0 < Self.resealsMax else { return .tooOften }
        try run(
            """
            INSERT INTO client_reseal (hash, user, device, number, reason, waits, asked) VALUES (?, ?, ?, ?, ?, 1, ?)
            ON CONFLICT (hash, user, device) DO UPDATE SET number = excluded.number, reason = excluded.reason, waits = 1,
              asked = excluded.asked
            """, [Data(hash), user, device, request.number, request.reason.rawValue, try age()])
        return nil
    }

    /// A request that does not name the session in which the message was sealed again was made before that came: readers
    /// ask once a day and more rarely, and an answer takes longer where links do.
    private func isUnderWay(_ sealing: Row, for request: MessageRequest) throws -> Bool {
        guard sealing["waits"] as Int64 == 0, let session: String = sealing["session"],
            let sealed: Int64 = sealing["sealed"]
        else { return false }
        return try !request.sessions.contains(session) && age() - sealed < patience(Self.resealPatience)
    }

    /// Of a direct message the reader's devices; of a channel's whoever was a member when it was written, and where the
    /// channel shares its history whoever is one now.
    private func mayRead(_ request: MessageRequest, membership: Int64?) throws -> Bool {
        guard case .channel(let id) = request.conversation else { return true }
        guard let channel = try channel(id), let membership else { return false }
        if try members(of: channel, at: membership).devices.contains(request.from.party) { return true }
        // A device that has asked to be let in again has been a member all the same.
        return try (channel.state == .member || channel.state == .joining) && sharesHistory(channel)
            && members(of: channel, at: channel.applied).devices.contains(request.from.party)
    }

    /// Seals again what can be; what has no session with the device yet waits for the lookup that brings one.
    func flushReseals() throws {
        try run(
            "DELETE FROM client_reseal WHERE waits > 0 AND asked <= ?", [try age() - Message.defaultLifetime])
        for row in try rows(
            """
            SELECT r.*, o.content, o.created, o.conversation, s.seq, s.prev, s.body_hash FROM client_reseal r
            JOIN client_sealed s ON s.hash = r.hash JOIN client_outbox o ON o.row = s.row
            WHERE r.waits > 0 ORDER BY s.row, r.user, r.device
            """)
        {
            do {
                try inSavepoint { try self.reseal(row) }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
        }
    }

    private func reseal(_ row: Row) throws {
        let reader = try Self.stored {
            DeviceAddress(user: try UserID(row["user"] as String), device: try DeviceID(row["device"] as String))
        }
        guard let hash = MessageHash(row.blob("hash")) else { return }
        guard try device(reader.user, reader.device) != nil else {
            // It was struck from its user's list while it waited.
            return try run(
                "UPDATE client_reseal SET waits = 0 WHERE hash = ? AND user = ? AND device = ?",
                [Data(hash.bytes), reader.user.text, reader.device.text])
        }
        guard var session = try sendingSession(with: reader.user, reader.device) else {
            // Asked for once; after that a session comes by itself or not at all.
            guard row["waits"] as Int64 == 1 else { return }
            try run(
                "UPDATE client_reseal SET waits = 2 WHERE hash = ? AND user = ? AND device = ?",
                [Data(hash.bytes), reader.user.text, reader.device.text])
            return try lookUp(reader.user)
        }
        let conversation = try Conversation(stored: row["conversation"], home: context.home.id)
        let content = try clear(row, in: conversation)
        let packed = try MessageDraft.pack(content, padding: context.padding)
        let via: NodeID? = if case .channel(let id) = conversation { id.node } else { nil }
        let (keyID, own) = (session.id, DeviceAddress(user: context.user, device: context.device))
        func unsealed(_ header: [UInt8], _ nonce: [UInt8]) -> JSONObject {
            ResealedMessage.unsealed(
                hash, from: own, to: reader, via: via,
                encryption: Message.Encryption(keyID: keyID, nonce: nonce, header: header), at: now)
        }
        let sealed = try session.encrypt(packed, salt: context.salt) { header, nonce in
            ResealedMessage.associatedData(of: unsealed(header, nonce))
        }
        try store(session, with: reader.user, reader.device)
        // A receipt speaks of this form from now on.
        try run(
            "UPDATE client_session SET opened = NULL WHERE user = ? AND device = ? AND opened = ?",
            [reader.user.text, reader.device.text, Data(hash.bytes)])
        try noteOpening(session, with: reader.user, reader.device, by: hash)
        let object = unsealed(sealed.header, sealed.nonce)
            .setting("content", .object(["ciphertext": .string(Base64.encode(sealed.ciphertext))]))
        let body = context.signing.signed(object, purpose: .reseal).canonicalBytes()
        _ = try spool.enqueue(
            NewItem(
                id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: context.homeParty,
                priority: .channelText, created: now, lifetime: Message.defaultLifetime))
        try run(
            """
            UPDATE client_reseal SET waits = 0, times = times + 1, session = ?, sealed = ?
            WHERE hash = ? AND user = ? AND device = ?
            """, [keyID, try age(), Data(hash.bytes), reader.user.text, reader.device.text])
    }

    // MARK: What came back

    /// A direct message found its reader's only device gone. The reader may have enrolled another one: this device looks,
    /// and seals the message again for it.
    func noteReturned(_ refusal: Refusal) throws {
        guard refusal.error.code == .userNotFound,
            let entry = try row(
                "SELECT target FROM client_outbox WHERE hash = ? AND state IN ('sealed', 'at_node')",
                [Data(refusal.item)]),
            case .user(let user) = try MessageTarget(entry["target"], defaultNode: context.home.id), try isKnown(user)
        else { return }
        try run("UPDATE client_sealed SET returned = 1 WHERE hash = ?", [Data(refusal.item)])
        try lookUp(user)
    }

    /// A user's devices as they are now are known: what came back goes to them.
    func offerReturned(_ user: UserID) throws {
        let returned = try rows(
            """
            SELECT s.hash FROM client_sealed s JOIN client_outbox o ON o.row = s.row
            WHERE s.returned = 1 AND o.target = ? AND o.hole IS NULL ORDER BY s.row
            """, [MessageTarget.user(user).description])
        guard !returned.isEmpty else { return }
        let devices = try rows("SELECT device FROM client_device WHERE user = ?", [user.text]).map { row in
            try Self.stored { DeviceAddress(user: user, device: try DeviceID(row["device"] as String)) }
        }
        guard !devices.isEmpty else { return }
        for row in returned {
            try sealAgain(row.blob("hash"), for: devices)
            try run("UPDATE client_sealed SET returned = 0 WHERE hash = ?", [row["hash"] as Data])
            try run(
                "UPDATE client_outbox SET state = 'at_node', error = NULL WHERE hash = ? AND state = 'refused'",
                [row["hash"] as Data])
        }
    }

    /// The content with what its reader needs to put it in its place: everything that the hash of the message covers,
    /// but the encryption.
    private func clear(_ row: Row, in conversation: Conversation) throws -> JSONObject {
        var origin: JSONObject = [
            "seq": .integer(row["seq"]), "body_hash": .string(Base64.encode(row.blob("body_hash"))),
            "timestamp": .string(Timestamp(milliseconds: row["created"]).description),
            "reason": .string(row["reason"]), "conversation": .string(conversation.text),
        ]
        if let prev = row.optionalBlob("prev") { origin["prev"] = .string(Base64.encode(prev)) }
        let content = try Self.stored { try JSONObject.parse(row.blob("content")) }
        return content.setting(Self.origin, .object(origin))
    }

    // MARK: The reader's part

    /// What a message was, as its author's device says when it seals it again.
    private struct Origin {
        var sequence: Int64
        var previous: MessageHash?
        var timestamp: Timestamp
        var conversation: Conversation
        var reason: String
        var isDirect: Bool { if case .direct = conversation { true } else { false } }

        /// - Throws: `ProtocolError` 2000 where it does not lead to the hash that was asked for.
        init(_ content: JSONObject, of item: MessageHash, home: NodeID) throws {
            let fields = try ObjectReader(content, what: "message sealed again").object(ClientTransaction.origin)
            sequence = try fields.integer("seq", in: 0...JSONValue.integerMax)
            timestamp = try fields.canonicalTimestamp("timestamp")
            conversation = try Conversation(stored: fields.string("conversation"), home: home)
            reason = try fields.string("reason")
            previous = fields.object["prev"] == nil ? nil : try fields.hash("prev")
            guard MessageHash(linking: try fields.hash("body_hash").bytes, after: previous) == item else {
                throw ProtocolError.malformed("A message sealed again is not the one that it names.", member: "item")
            }
            guard (previous == nil) == (sequence == 0), MessageRequest.Reason(rawValue: reason) != nil else {
                throw ProtocolError.malformed("A message sealed again says what no message can be.", member: "seq")
            }
        }
    }

    func take(_ resealed: ResealedMessage) throws {
        guard resealed.to.party == context.party else {
            throw Rejected(.misdirected, "A message sealed again for another device arrived here.")
        }
        let hash = resealed.item
        let (user, id) = (resealed.from.user, resealed.from.device)
        guard let known = try authorDevice(user, id) else { throw Waiting(.device(user, id)) }
        try KeyChecks.verify(resealed.object, signedBy: known.signingKey, purpose: .reseal)
        // The session first: its keys move on whatever becomes of the message.
        let content = try open(resealed, known)
        let row = try row("SELECT user, device, lost FROM client_message WHERE hash = ?", [Data(hash.bytes)])
        if let row {
            guard row["user"] == user.text, row["device"] == id.text else {
                throw Rejected(.misdirected, "Somebody has sealed another author's message again.")
            }
            // The first form has opened after all, or another of these came before.
            guard row["lost"] as String? != nil else { return }
        }
        let wanted = try self.row(
            "SELECT 1 FROM client_want WHERE hash = ? AND user = ? AND device = ?",
            [Data(hash.bytes), user.text, id.text])
        let origin = try Origin(content, of: hash, home: context.home.id)
        try check(origin.conversation, with: user)
        // Of a run only the last was named: the others are those that its chain lacks. A new device of a user does not
        // know what it could ask for, so in a direct conversation the author may begin.
        guard try row != nil || wanted != nil || origin.isDirect || lacks(origin, of: user, id) else {
            // It asked in an earlier stay, and was told since that this is not for it.
            if try hasLeft(origin.conversation) { return }
            throw Rejected(.misdirected, "A message was sealed again that nobody had asked for.")
        }
        try place(hash, origin, content, of: resealed.from)
    }

    private func open(_ resealed: ResealedMessage, _ known: KnownDevice) throws -> JSONObject {
        let (user, id) = (resealed.from.user, resealed.from.device)
        let sealed = Session.Sealed(
            header: resealed.encryption.header, nonce: resealed.encryption.nonce, ciphertext: resealed.ciphertext)
        let aad = ResealedMessage.associatedData(of: resealed.object)
        if var session = try session(resealed.encryption.keyID, with: user, id) {
            let padded = try session.decrypt(sealed, aad: aad)
            try store(session, with: user, id)
            return try unpack(padded)
        }
        var answer = try answeringSession(to: resealed, initiator: known)
        let padded = try answer.decrypt(sealed, aad: aad)
        try keep(answer, with: user, id)
        return try unpack(padded)
    }

    /// An author speaks in the own direct conversations, and in channels that this device is or was in. Whether it has been
    /// a member shows from the message that is missed, or from the one that follows it.
    private func check(_ conversation: Conversation, with user: UserID) throws {
        switch conversation {
        case .direct: if conversation == .between(context.user, user) || user == context.user { return }
        case .channel(let channel): if try self.channel(channel) != nil { return }
        }
        throw Rejected(.misdirected, "A message was sealed again for a conversation that its author is not in.")
    }

    /// Whether a stay of this device in a channel has ended.
    private func hasLeft(_ conversation: Conversation) throws -> Bool {
        guard case .channel(let id) = conversation, let channel = try channel(id) else { return false }
        return try row(
            """
            SELECT 1 FROM client_member WHERE channel = ? AND user = ? AND device = ? AND until IS NOT NULL LIMIT 1
            """, [channel.row, context.user.text, context.device.text]) != nil
    }

    private func lacks(_ origin: Origin, of user: UserID, _ id: DeviceID) throws -> Bool {
        try row(
            """
            SELECT 1 FROM client_message WHERE conversation = ?1 AND user = ?2 AND device = ?3 AND seq > ?4
              AND (shown IS NULL OR gap = 1)
            UNION ALL SELECT 1 FROM client_want
              WHERE conversation = ?1 AND user = ?2 AND device = ?3 AND seq >= ?4 AND seq - run < ?4 LIMIT 1
            """, [origin.conversation.text, user.text, id.text, origin.sequence]) != nil
    }

    /// Nothing of a direct conversation's chain is here.
    private func isNew(_ origin: Origin, of user: UserID, _ id: DeviceID) throws -> Bool {
        try origin.isDirect
            && row(
                "SELECT 1 FROM client_message WHERE conversation = ? AND user = ? AND device = ? LIMIT 1",
                [origin.conversation.text, user.text, id.text]) == nil
    }

    private func place(
        _ hash: MessageHash, _ origin: Origin, _ content: JSONObject, of author: DeviceAddress
    ) throws {
        let content = content.omitting([Self.origin])
        let isDirect = origin.isDirect
        let deleter: String? = try row(
            "SELECT user FROM client_hole WHERE hash = ? AND conversation = ? AND (user = ? OR NOT ?) LIMIT 1",
            [Data(hash.bytes), origin.conversation.text, author.user.text, isDirect])?["user"]
        try run(
            """
            INSERT INTO client_message
              (hash, conversation, user, device, seq, prev, timestamp, received, type, content, starts, late, hole,
               deleted_by)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (hash) DO UPDATE SET prev = excluded.prev, timestamp = excluded.timestamp,
              received = excluded.received, content = excluded.content, lost = NULL, late = excluded.late, is_read = 0
              WHERE hole IS NULL
            """,
            [
                Data(hash.bytes), origin.conversation.text, author.user.text, author.device.text, origin.sequence,
                origin.previous.map { Data($0.bytes) }, origin.timestamp.milliseconds, now.milliseconds,
                MessageType.text.rawValue, deleter == nil ? Data(content.canonicalBytes()) : Self.emptied,
                try origin.sequence == 0 || isNew(origin, of: author.user, author.device), origin.reason,
                deleter == nil ? nil : "deleted", deleter,
            ])
        if deleter == nil { try relate(hash, content, by: author.user) }
        if origin.reason == MessageRequest.Reason.missing.rawValue {
            // Looks at the request first, which says how much before this one is missing, then drops it.
            try noteLink(
                ChainLink(
                    hash: hash, previous: origin.previous, sequence: origin.sequence,
                    conversation: origin.conversation, author: author), starts: false)
        } else {
            try run("DELETE FROM client_want WHERE hash = ?", [Data(hash.bytes)])
        }
        try release(conversation: origin.conversation.text, user: author.user.text, device: author.device.text)
        if isDirect { delivered[author.party, default: []].append(hash.bytes) }
    }
}
