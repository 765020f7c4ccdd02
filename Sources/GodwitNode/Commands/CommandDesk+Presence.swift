import GodwitContact
import GodwitProtocol

/// Status, typing and read markers (docs/protocol.md §9.3).
extension CommandDesk {
    /// `update_status`: told to whom the account's privacy lets know (WS-06, WS-12, SEC-10).
    func updateStatus(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        guard let status = PresenceStatus(rawValue: try data.string("status")) else {
            throw ProtocolError.malformed("A status is online, away or offline.", member: "status")
        }
        let notice = try PresenceNotice(
            userID: session.user, status: status, message: data.optionalString("message"), lastSeen: core.time.now())
        await presence.note(notice)
        try await core.write { try $0.announce(notice) }
        return [:]
    }

    /// `typing`: {`channel`, `channel_node`?, `typing`} (WS-07).
    func typing(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let name = ConversationName(try conversation(data, session), of: session.user)
        let notice = TypingNotice(
            userID: session.user, name: name, isTyping: try data.bool("typing"), at: core.time.now())
        let source = try device(session)
        try await core.write { try $0.accept(notice, from: source) }
        return [:]
    }

    /// `mark_read`: {`channel`, `channel_node`?, `upto`: message hash}.
    func markRead(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let source = try device(session)
        guard case .device(let user, let device) = source else { return [:] }
        let marker = ReadMarker(
            userID: user, device: device, name: ConversationName(try conversation(data, session), of: user),
            upTo: try data.hash("upto"), at: core.time.now())
        try await core.write { try $0.accept(marker, from: source) }
        return [:]
    }
}
