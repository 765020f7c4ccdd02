import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What devices of one user tell each other: system messages from the user to the user, each for one device.
extension ClientTransaction {
    /// Such messages that are remembered, so that repeats are known.
    private static let ownItemsMax: Int64 = 65_536

    /// Queues a content for another device of this user.
    func tell(_ device: DeviceID, _ content: JSONObject) throws {
        try run(
            "INSERT INTO client_own_outbox (device, content) VALUES (?, ?)",
            [device.text, Data(content.canonicalBytes())])
    }

    /// Seals what waits for own devices, as far as there are sessions with them. When the spool is full the rest waits.
    func flushOwn() throws {
        for row in try rows("SELECT row, device, content FROM client_own_outbox ORDER BY row") {
            let device = try Self.stored { try DeviceID(row["device"] as String) }
            let number: Int64 = row["row"]
            guard try otherDevices(of: context.user).contains(device) else {
                try run("DELETE FROM client_own_outbox WHERE row = ?", [number])
                continue
            }
            do {
                try inSavepoint {
                    guard let session = try self.sendingSession(with: self.context.user, device) else {
                        return try self.lookUp(self.context.user)
                    }
                    let content = try self.ownContent(row)
                    try self.send(content, to: ReadingDevice(user: self.context.user, device: device, session: session))
                    try self.run("DELETE FROM client_own_outbox WHERE row = ?", [number])
                }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
        }
    }

    /// What waits in `client_own_outbox`; a page of history is larger than other objects.
    func ownContent(_ row: Row) throws -> JSONObject {
        try Self.stored { try JSONObject.parse(row.blob("content"), limits: JSONLimits(bytes: 1 << 17)) }
    }

    private func send(_ content: JSONObject, to reader: ReadingDevice) throws {
        let target = MessageTarget.user(context.user)
        let head = try ownHead(target.conversation(of: context.user).text)
        let draft = MessageDraft(
            type: .system, author: context.user, device: context.device, target: target, created: now,
            sequence: head.map { $0.seq + 1 } ?? 0, previous: head?.hash)
        let message = try seal(
            draft, pack(content, to: target, created: now), for: [reader])
        _ = try spool.enqueue(
            NewItem(
                id: ItemID(message.hash.bytes), kind: .message, body: message.canonicalBytes,
                destination: context.homeParty, priority: message.priority, created: message.timestamp,
                lifetime: message.lifetime))
        try moveHead(to: message)
    }

    /// Another device of this user has something to say. Its certificate was checked with its signature.
    func takeOwn(_ message: Message, _ content: JSONObject) throws {
        try run("INSERT INTO client_own_item (hash) VALUES (?)", [Data(message.hash.bytes)])
        try run("DELETE FROM client_own_item WHERE item <= ?", [database.lastInsertedRowID - Self.ownItemsMax])
        guard message.type == .system else {
            throw Rejected(.malformed, "Devices of one user write no texts to each other.")
        }
        if let request = content["sync_request"]?.object {
            try answer(SyncRequest(request), from: message.device)
        } else if let page = content["sync"]?.object {
            try take(SyncedPage(page))
        }
        // Anything else is of a later version.
    }
}
