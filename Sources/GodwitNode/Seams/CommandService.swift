public import GodwitProtocol

/// What the node offers to whoever asks with single requests: the commands of a socket, one by one.
public protocol CommandService: Sendable {
    /// Whether a request may be looked at at all.
    /// - Throws: `ProtocolError` 3002 with `retry_after` for one too many, 9001 while the node is being maintained.
    func admit(_ kind: RequestKind, from source: SourceAddress?) async throws

    /// One step of the login (docs/protocol.md §9.2): `auth_challenge_request`, `auth_proof`, `auth_register` or
    /// `auth_refresh` with the members of that frame, and for `auth_proof` the `user_id` as well.
    ///
    /// - Returns: the members of the answering frame besides `type`.
    func login(_ step: String, _ data: JSONObject, from source: SourceAddress?) async throws -> JSONObject

    /// The session of a bearer token.
    /// - Throws: `ProtocolError` 1000 for a token that is not of this node, 1001 for a session that has ended.
    func session(for token: String) async throws -> Session

    /// Carries out one command (docs/protocol.md §9.3) and returns the members of its answer.
    /// - Throws: `ProtocolError`; nothing is changed then.
    func carryOut(_ command: String, _ data: JSONObject, in session: Session) async throws -> JSONObject
}

/// Kinds of requests, each with limits of its own.
public enum RequestKind: String, CaseIterable, Sendable, Hashable {
    /// Steps of the login, and what is public.
    case login
    /// Requests with a session.
    case requests
}
