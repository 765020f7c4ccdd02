import GodwitContact
import GodwitProtocol

extension CommandDesk {
    /// `history`: a page of a conversation, newest first by arrival at this node (docs/protocol.md §9.6).
    func history(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let conversation = try conversation(data, session)
        var question = HistoryQuestion(conversation: conversation)
        question.before = try Self.cursor("before", data)
        question.after = try Self.cursor("after", data)
        question.limit =
            try data.optionalInteger("limit", in: 1...HistoryQuestion.limitMax) ?? HistoryQuestion.limitUsual
        let asked = question
        let party = session.device.map { Party.device(session.user, $0) }
        return try await core.read { transaction in
            let page = try transaction.history(asked, for: session.user)
            return [
                "messages": .array(try page.entries.map { .object(try Self.object($0, for: party, in: transaction)) }),
                "has_more": .bool(page.hasMore),
                "next_cursor": page.next.map { .string($0.hash.id.text) } ?? .null,
            ]
        }
    }

    /// The conversation that `channel` and, of a channel, `channel_node` name.
    func conversation(_ data: ObjectReader, _ session: Session) throws -> Conversation {
        switch try data.address("channel") {
        case .direct(let address): return .between(session.user, address.user)
        case .channel(let name):
            let node = try data.optionalString("channel_node") == nil ? core.context.id : data.nodeID("channel_node")
            return .channel(ChannelID(name: name, node: node))
        }
    }

    private static func cursor(_ key: String, _ data: ObjectReader) throws -> HistoryCursor? {
        switch data.object[key] {
        case nil, .null: return nil
        case .integer: return .arrival(try data.integer(key, in: 0...JSONValue.integerMax))
        default: return .message(try MessageID(try data.string(key)))
        }
    }

    /// - Parameter party: who asks; of `recipients` nobody gets the entries of others.
    static func object(
        _ entry: JournalEntry, for party: Party?, in transaction: NodeTransaction
    ) throws -> JSONObject {
        var object: JSONObject = [
            "arrival": .integer(entry.arrival), "received_at": .string(entry.received.description),
        ]
        if let body = entry.body {
            var message = try JSONObject.parse(body, limits: JSONLimits(bytes: ProtocolObject.bytesMax))
            if message["recipients"] != nil {
                let whole = try Message(message)
                message = (party.map { whole.forParty($0) } ?? whole.replacingRecipients([])).object
            }
            object["message"] = .object(message)
            if try transaction.followsGap(message) { object["follows_gap"] = true }
        } else {
            object["message_id"] = .string(entry.hash.id.text)
            object["hash"] = .string(entry.hash.base64)
            object["body_hash"] = .string(Base64.encode(entry.bodyHash))
            object["hole"] = .string((entry.hole ?? .expired).rawValue)
            if let by = entry.deletedBy { object["deleted_by"] = .string(by) }
        }
        return object
    }
}
