import GRDB
public import GodwitProtocol

/// Files that travel in messages.
extension Device {
    /// A file as it was written.
    public struct File: Sendable, Hashable {
        public var attachment: Attachment
        public var bytes: [UInt8]
    }

    /// Writes a file, in as many messages as it takes; the words about it go with the first. All are kept or none.
    ///
    /// - Throws: `ProtocolError` as `Attachment.parts` and `send(text:format:mentions:replyTo:to:)`.
    public func send(
        file bytes: [UInt8], named name: String, isVoice: Bool = false, caption: String = "", to target: MessageTarget
    ) async throws -> [OutboxEntry] {
        let parts = try Attachment.parts(of: bytes, named: name, isVoice: isVoice)
        return try await store.write { transaction in
            try parts.map { part in
                let row = try transaction.compose(part.content(caption: part.offset == 0 ? caption : ""), to: target)
                guard let entry = try transaction.outboxEntry(row) else {
                    throw ProtocolError(.internalError, "The outbox lost an entry.")
                }
                return entry
            }
        }
    }

    /// The file that a message holds, or is a part of.
    ///
    /// - Throws: `ProtocolError` 2000 for an unknown message and one without a file, also while parts are missing.
    public func file(of id: MessageID) async throws -> File {
        try await store.read { try $0.file(of: id) }
    }
}

extension ClientTransaction {
    func file(of id: MessageID) throws -> Device.File {
        guard let prefix = id.prefix else { throw ProtocolError.malformed("This is no id of a message.", member: "id") }
        if let row = try row(
            "SELECT conversation, user, device, seq, content FROM client_message WHERE hash BETWEEN ? AND ?",
            Self.range(prefix))
        {
            // The parts of a file are next to each other in their author's chain.
            return try file(
                row,
                """
                SELECT content FROM client_message WHERE conversation = ? AND user = ? AND device = ?
                  AND seq BETWEEN ? AND ? AND content IS NOT NULL
                """,
                [row["conversation"] as String, row["user"] as String, row["device"] as String],
                around: row["seq"])
        }
        guard
            let row = try row(
                "SELECT conversation, row, content FROM client_outbox WHERE hash BETWEEN ? AND ?",
                Self.range(prefix))
        else { throw ProtocolError.malformed("There is no such message here.", member: "id") }
        return try file(
            row, "SELECT content FROM client_outbox WHERE conversation = ? AND row BETWEEN ? AND ?",
            [row["conversation"] as String], around: row["row"])
    }

    private func file(
        _ message: Row, _ query: String, _ place: [any DatabaseValueConvertible], around number: Int64
    ) throws -> Device.File {
        func attachment(_ row: Row) throws -> Attachment? {
            try row.optionalBlob("content").flatMap { Attachment(try JSONObject.parse($0)) }
        }
        guard let wanted = try attachment(message) else {
            throw ProtocolError.malformed("The message has no file.", member: "id", hint: "`godwit read` shows files.")
        }
        guard !wanted.isWhole else { return try file(wanted, of: [wanted]) }
        let reach = Int64(Attachment.partsMax)
        let arguments = StatementArguments(place) + [number - reach, number + reach]
        let parts = try rows(query, arguments).compactMap(attachment)
        return try file(wanted, of: parts.filter { $0.digest == wanted.digest && $0.size == wanted.size })
    }

    private func file(_ wanted: Attachment, of parts: [Attachment]) throws -> Device.File {
        guard let bytes = Attachment.joined(parts) else {
            var offsets: Set<Int> = []
            let here = parts.filter { offsets.insert($0.offset).inserted }.reduce(0) { $0 + $1.data.count }
            throw ProtocolError.malformed(
                here < wanted.size
                    ? "Of the file \(here) of \(wanted.size) bytes have come."
                    : "The file is not what its digest says.",
                member: "id", hint: "Parts that are missing come with a later contact.")
        }
        return Device.File(attachment: wanted, bytes: bytes)
    }
}
