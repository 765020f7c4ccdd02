import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Messages that are taken back: here their content is gone, and what comes later of them is not shown.
extension ClientTransaction {
    /// Messages taken back before they came that are remembered; the oldest go first.
    static let holesMax: Int64 = 4_096

    /// Takes over a deletion. A direct message is taken back by its author; in a channel the node judges who may.
    func take(_ deletion: Deletion) throws {
        guard let known = try authorDevice(deletion.userID, deletion.device) else {
            throw Waiting(.device(deletion.userID, deletion.device))
        }
        try KeyChecks.verify(deletion.object, signedBy: known.signingKey, purpose: .deletion)
        for hash in deletion.items { try takeBack(hash, deletion.conversation, by: deletion.userID) }
    }

    private func takeBack(_ hash: MessageHash, _ conversation: Conversation, by user: UserID) throws {
        let isDirect = if case .direct = conversation { true } else { false }
        if let row = try row("SELECT user, conversation FROM client_message WHERE hash = ?", [Data(hash.bytes)]) {
            let author: String = row["user"]
            guard row["conversation"] as String == conversation.text, author == user.text || !isDirect else {
                throw Rejected(.misdirected, "Somebody deletes another's direct message.")
            }
            try run(
                "UPDATE client_message SET content = ?, hole = 'deleted', deleted_by = ? WHERE hash = ?",
                [Self.emptied, user.text, Data(hash.bytes)])
            // Earlier texts of it as well.
            try run(
                """
                UPDATE client_message SET content = ?, hole = 'deleted', deleted_by = ?
                WHERE relates = ? AND relation = 'edit' AND user = ?
                """, [Self.emptied, user.text, Data(hash.bytes.prefix(10)), author])
            return
        }
        if try row("SELECT 1 FROM client_outbox WHERE hash = ?", [Data(hash.bytes)]) != nil {
            guard user == context.user || !isDirect else {
                throw Rejected(.misdirected, "Somebody deletes another's direct message.")
            }
            return try eraseOwn(hash)
        }
        try run(
            "INSERT OR IGNORE INTO client_hole (hash, conversation, user) VALUES (?, ?, ?)",
            [Data(hash.bytes), conversation.text, user.text])
        try run("DELETE FROM client_hole WHERE hole <= ?", [database.lastInsertedRowID - Self.holesMax])
        try releaseSuccessor(of: hash, in: conversation.text)
    }

    /// Who has taken a message back before it came.
    func deleter(of message: Message) throws -> String? {
        let isDirect = if case .direct = message.address { true } else { false }
        return try row(
            "SELECT user FROM client_hole WHERE hash = ? AND conversation = ? AND (user = ? OR NOT ?) LIMIT 1",
            [Data(message.hash.bytes), message.conversation.text, message.author.text, isDirect])?["user"]
    }

    private func eraseOwn(_ hash: MessageHash) throws {
        try run(
            "UPDATE client_outbox SET content = ?, hole = 'deleted' WHERE hash = ? OR (relates = ? AND relation = 'edit')",
            [Self.emptied, Data(hash.bytes), Data(hash.bytes.prefix(10))])
    }

    // MARK: By this device

    /// Where a message is, by its id.
    struct Found {
        var hash: MessageHash
        var target: MessageTarget
        var isOwn: Bool
    }

    /// - Throws: `ProtocolError` 2000 for a message that this device does not have.
    func find(_ id: MessageID) throws -> Found {
        let prefix = id.prefix ?? []
        let range: StatementArguments = [
            Data(prefix + [UInt8](repeating: 0, count: 32 - prefix.count)),
            Data(prefix + [UInt8](repeating: 255, count: 32 - prefix.count)),
        ]
        if prefix.count == 10 {
            if let row = try row("SELECT hash, target FROM client_outbox WHERE hash BETWEEN ? AND ?", range),
                let hash = MessageHash(row.blob("hash"))
            {
                return Found(
                    hash: hash, target: try MessageTarget(row["target"], defaultNode: context.home.id), isOwn: true)
            }
            if let row = try row(
                "SELECT hash, user, conversation FROM client_message WHERE hash BETWEEN ? AND ?", range),
                let hash = MessageHash(row.blob("hash"))
            {
                let author = try UserID(row["user"] as String)
                let target: MessageTarget =
                    switch try Conversation(stored: row["conversation"], home: context.home.id) {
                    case .channel(let channel): .channel(channel)
                    case .direct(let one, let other): .user(one == context.user ? other : one)
                    }
                return Found(hash: hash, target: target, isOwn: author == context.user)
            }
        }
        throw ProtocolError.malformed(
            "This device has no message of that id.", member: "id", hint: "`godwit read --json` shows the ids.")
    }

    /// Takes messages of one conversation back: their content goes here, what still waits is not sent, and everybody who
    /// has them is told.
    ///
    /// - Throws: `ProtocolError` 1002 for another's direct message; 2000 for messages of several conversations.
    func delete(_ ids: [MessageID]) throws {
        let found = try ids.map(find)
        guard let first = found.first else { return }
        guard found.allSatisfy({ $0.target == first.target }) else {
            throw ProtocolError.malformed("The messages are of several conversations.", hint: "Delete them one by one.")
        }
        if case .user = first.target, found.contains(where: { !$0.isOwn }) {
            throw ProtocolError(
                .insufficientPermissions, "A direct message is deleted by its author.", hint: "Ask the author.")
        }
        var hashes: [MessageHash] = []
        for message in found {
            hashes.append(message.hash)
            // What another device of this user wrote stands with what has arrived.
            if try row("SELECT 1 FROM client_outbox WHERE hash = ?", [Data(message.hash.bytes)]) == nil {
                try takeBack(message.hash, message.target.conversation(of: context.user), by: context.user)
            }
            guard message.isOwn else { continue }
            for row in try rows(
                "SELECT row, hash, state FROM client_outbox WHERE hash = ? OR (relates = ? AND relation = 'edit')",
                [Data(message.hash.bytes), Data(message.hash.bytes.prefix(10))])
            {
                guard let hash = row.optionalBlob("hash").flatMap({ MessageHash($0) }) else {
                    // An edit that was never sealed: nobody has it.
                    try run("DELETE FROM client_outbox WHERE row = ?", [row["row"] as Int64])
                    continue
                }
                if hash != message.hash { hashes.append(hash) }
                if let waiting = try spool.waitingItem(ItemID(hash.bytes), for: context.homeParty) {
                    try spool.release([waiting.row])
                }
            }
            try eraseOwn(message.hash)
        }
        let channelNode: NodeID? = if case .channel(let id) = first.target { id.node } else { nil }
        for start in stride(from: 0, to: hashes.count, by: Deletion.itemsMax) {
            let unsigned = Deletion.unsigned(
                Array(hashes[start..<min(hashes.count, start + Deletion.itemsMax)]), in: first.target.address,
                channelNode: channelNode, user: context.user, device: context.device, at: now)
            let body = context.signing.signed(unsigned, purpose: .deletion).canonicalBytes()
            _ = try spool.enqueue(
                NewItem(
                    id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: context.homeParty,
                    priority: .revocation, created: now, lifetime: Message.defaultLifetime))
        }
    }
}
