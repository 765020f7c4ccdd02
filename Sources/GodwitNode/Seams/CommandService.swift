public import GodwitProtocol

/// What the node offers to whoever asks with single requests: the commands of a socket, one by one.
public protocol CommandService: Sendable {
    /// The session of a bearer token.
    /// - Throws: `ProtocolError` 1000 for a token that is not of this node, 1001 for a session that has ended.
    func session(for token: String) async throws -> Session

    /// Carries out one command (docs/protocol.md §9.3) and returns the members of its answer.
    /// - Throws: `ProtocolError`; nothing is changed then.
    func carryOut(_ command: String, _ data: JSONObject, in session: Session) async throws -> JSONObject
}
