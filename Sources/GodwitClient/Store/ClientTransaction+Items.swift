import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

extension ClientTransaction {
    /// Takes one item of a frame. What cannot be used is recorded as a warning, what lacks something is kept until that
    /// comes; only failures of the store are thrown, so that the frame stays with the node.
    func take(_ kind: BatchItem.Kind, _ body: [UInt8]) throws {
        do {
            try inSavepoint { try self.dispatch(kind, body) }
        } catch let waiting as Waiting {
            try keep(kind, body, until: waiting.awaited)
        } catch is BeforeJoining {
            return
        } catch let rejected as Rejected {
            try warn(rejected, about: Self.subject(of: body))
        } catch let error as ProtocolError where error.code != .bandwidthExceeded {
            try warn(Rejected(error), about: Self.subject(of: body))
        } catch let error as CryptoError {
            try warn(Rejected(error), about: Self.subject(of: body))
        }
    }

    private func dispatch(_ kind: BatchItem.Kind, _ body: [UInt8]) throws {
        guard kind != .message else {
            try take(try Message(parsing: body))
            return
        }
        switch try ProtocolObject(parsing: body) {
        case .introduction(let introduction):
            try introduce(
                introduction.userID, publicKey: introduction.publicKey, list: introduction.deviceList)
        case .membership(let membership): try take(membership)
        case .memberList(let list): try take(list)
        case .epoch(let epoch): try take(epoch)
        case .lookupResult(let result): try take(result)
        case .refusal(let refusal): try take(refusal)
        case .receipt(let receipt): try take(receipt)
        case .command, .lookup:
            throw Rejected(.misdirected, "An object for a node arrived at a device.")
        }
    }

    /// Whom a warning about an item is about, as far as the item says.
    private static func subject(of body: [UInt8]) -> String? {
        guard let object = try? JSONObject.parse(body, limits: JSONLimits(bytes: ProtocolObject.bytesMax)) else {
            return nil
        }
        let text = (object["author"] ?? object["user_id"] ?? object["channel"])?.string
        return text.flatMap { $0.utf8.count <= 128 ? $0 : nil }
    }

    // MARK: Waiting items

    /// Items that wait for something; beyond this the oldest is dropped.
    static let pendingMax: Int64 = 4_096

    private func keep(_ kind: BatchItem.Kind, _ body: [UInt8], until awaited: Awaited) throws {
        var chain: String?
        var sequence: Int64?
        if kind == .message {
            let message = try Message(parsing: body)
            chain = Self.chainName(message)
            sequence = message.sequence
        }
        try run(
            """
            INSERT INTO client_pending (id, waits_for, kind, body, chain, seq) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET waits_for = excluded.waits_for
            """,
            [Data(SHA256Digest.of(body)), awaited.text, kind.rawValue, Data(body), chain, sequence])
        guard try integer("SELECT count(*) FROM client_pending") ?? 0 > Self.pendingMax else { return }
        try run("DELETE FROM client_pending WHERE pending = (SELECT min(pending) FROM client_pending)")
        try warn(
            Rejected(
                .overflow, "Too much waits for keys that do not come; the oldest was dropped.",
                hint: "Ask the author to send it again."))
    }

    static func chainName(_ message: Message) -> String {
        message.conversation.text + " " + message.author.text + "/" + message.device.text
    }

    /// Looks again at what waited for something that has come.
    func retry(_ awaited: Awaited) throws {
        let waiting = try rows(
            "SELECT pending, kind, body FROM client_pending WHERE waits_for = ? ORDER BY pending", [awaited.text])
        for row in waiting {
            try run("DELETE FROM client_pending WHERE pending = ?", [row["pending"] as Int64])
            try take(BatchItem.Kind(rawValue: Int(row["kind"] as Int64)) ?? .object, row.blob("body"))
        }
    }
}
