import GodwitNode
import GodwitProtocol
import Synchronization

/// Notes every command and answers with what the test says, `{}` without it. The token `good` has a session.
final class ScriptedCommands: CommandService {
    struct Call: Hashable, Sendable {
        var command: String
        var data: JSONObject
    }

    let calls = Notes<Call>()
    private let script = Mutex<[String: Result<JSONObject, ProtocolError>]>([:])
    private let refusal = Mutex<ProtocolError?>(nil)

    func answer(_ command: String, with result: Result<JSONObject, ProtocolError>) {
        script.withLock { $0[command] = result }
    }
    func refuseAll(_ error: ProtocolError?) { refusal.withLock { $0 = error } }

    func admit(_ kind: RequestKind, from source: SourceAddress?) async throws {
        if let error = refusal.withLock({ $0 }) { throw error }
    }

    func login(_ step: String, _ data: JSONObject, from source: SourceAddress?) async throws -> JSONObject {
        try play(step, data)
    }

    func session(for token: String) async throws -> Session {
        guard token == "good" else { throw ProtocolError(.sessionExpired, "The session was ended.") }
        return Session(
            name: String(repeating: "a", count: 26), user: try UserID("a7f3k9m2.alice"), device: nil,
            success: AuthSuccess(token: token, expires: Timestamp(milliseconds: 0), nodeInfo: [:]))
    }

    func carryOut(_ command: String, _ data: JSONObject, in session: Session) async throws -> JSONObject {
        try play(command, data)
    }

    private func play(_ command: String, _ data: JSONObject) throws -> JSONObject {
        calls.add(Call(command: command, data: data))
        return try script.withLock { $0[command] }?.get() ?? [:]
    }
}
