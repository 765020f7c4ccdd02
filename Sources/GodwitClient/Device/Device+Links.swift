public import GodwitProtocol

extension Device {
    /// What to do with a text that is longer than a link on the way carries.
    public enum LongText: String, Sendable, Hashable, CaseIterable {
        /// In parts, at most `TextSplitter.partsMax`; what needs more waits.
        case split
        /// As a whole, which waits at the node for a better link.
        case wait
    }

    /// What became of a text.
    public struct Sent: Sendable, Hashable {
        /// One a part.
        public var entries: [OutboxEntry]
        /// The link that is too thin for the text; nil: none is known to be.
        public var link: LinkNotice?
        public var scalars: Int

        public init(entries: [OutboxEntry], link: LinkNotice?, scalars: Int) {
            self.entries = entries
            self.link = link
            self.scalars = scalars
        }
    }

    /// The narrowest of the links that a text to a target takes, as far as the home node has told; nil: none is narrow.
    public func narrowestLink(towards target: MessageTarget) async throws -> LinkNotice? {
        try await store.read { try $0.narrowest(towards: target) }
    }

    /// Writes a text, in parts where a link on the way does not carry it whole (NET-09, NET-14, G-72). All parts are kept or
    /// none.
    ///
    /// - Throws: as `send(text:format:mentions:replyTo:to:)`.
    public func send(
        text: String, format: TextFormat = .plain, mentions: [UserID] = [], replyTo: MessageID? = nil,
        to target: MessageTarget, ifTooLong: LongText
    ) async throws -> Sent {
        try await store.write { transaction in
            let scalars = text.unicodeScalars.count
            let link = try transaction.narrowest(towards: transaction.current(target))
            let limit = link?.allowed.textMax.map(Int.init) ?? .max
            let isLong = scalars > limit
            let parts = isLong && ifTooLong == .split ? TextSplitter.parts(of: text, limit: limit) ?? [text] : [text]
            let entries = try parts.map { part in
                let row = try transaction.compose(
                    Self.content(part, format, mentions: mentions, replyTo: replyTo), to: target)
                guard let entry = try transaction.outboxEntry(row) else {
                    throw ProtocolError(.internalError, "The outbox lost an entry.")
                }
                return entry
            }
            return Sent(entries: entries, link: isLong ? link : nil, scalars: scalars)
        }
    }

    static func content(
        _ text: String, _ format: TextFormat, mentions: [UserID] = [], replyTo: MessageID? = nil
    ) -> JSONObject {
        [
            "text": .string(text), "format": .string(format.rawValue),
            "mentions": .array(mentions.map { .string($0.text) }),
            "reply_to": replyTo.map { .string($0.text) } ?? .null,
        ]
    }
}
