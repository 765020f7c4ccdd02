import GodwitCrypto
import GodwitProtocol
import Synchronization

@testable import GodwitNode

/// Collects what a node sends over one socket.
final class Outbox: SocketOutbox {
    private let state = Mutex<(frames: [JSONObject], closed: UInt16?, limit: Int)>(([], nil, .max))

    func send(_ text: [UInt8]) -> Bool {
        guard let object = try? JSONObject.parse(text, limits: JSONLimits(bytes: SocketLimits.messageMax)) else {
            return false
        }
        return state.withLock { state in
            guard state.closed == nil, state.frames.count < state.limit else { return false }
            state.frames.append(object)
            return true
        }
    }

    func close(code: UInt16, reason: String) { state.withLock { $0.closed = code } }

    var frames: [JSONObject] { state.withLock { $0.frames } }
    var closed: UInt16? { state.withLock { $0.closed } }
    /// Frames that it takes in all.
    var limit: Int {
        get { state.withLock { $0.limit } }
        set { state.withLock { $0.limit = newValue } }
    }
    var isFull: Bool { state.withLock { $0.frames.count >= $0.limit } }

    /// Data of the events of one name so far.
    func events(_ name: String) -> [JSONObject] {
        frames.filter { $0["event"]?.string == name }.compactMap { $0["data"]?.object }
    }

    func objects(_ type: String) -> [JSONObject] {
        events("object").compactMap { $0["object"]?.object }.filter { $0["type"]?.string == type }
    }

    var messages: [JSONObject] { events("message").compactMap { $0["message"]?.object } }

    /// These messages and no others have come, in this order, each proven: by its own signature or by a later one's.
    func has(_ sent: [JSONObject]) -> Bool {
        let bare: Set<String> = ["signature", "signed_by", "cover"]
        return messages.map { $0.omitting(bare) } == sent.map { $0.omitting(bare) }
            && messages.allSatisfy { arrived in
                guard let proof = (try? Message(arrived))?.proof else { return false }
                return sent.contains { message in
                    message["id"]?.string == proof.signed.id.text && message["signature"]?.string == proof.text
                }
            }
    }
}

/// A socket with whoever sits at the other end.
struct TestClient: Sendable {
    let outbox = Outbox()
    let session: any SocketSession

    init(_ node: TestNode, token: String? = nil) async {
        session = await node.node.open(SocketRequest(token: token, origin: nil), outbox: outbox)
    }

    /// Sends a frame and gives the first one that came back for it.
    @discardableResult
    func say(_ object: JSONObject) async throws -> JSONObject {
        let before = answers.count
        await session.received(object.canonicalBytes())
        // A message is answered when it is durable, while the socket takes the next one.
        try await eventually("an answer") { answers.count > before }
        return answers[before]
    }

    /// What was answered so far.
    private var answers: [JSONObject] {
        outbox.frames.filter { frame in
            guard let event = frame["event"]?.string else { return true }
            return event == "ack" || event == "error"
        }
    }

    /// Carries out a command: data of the `ack`.
    /// - Throws: the error that came instead.
    @discardableResult
    func command(_ name: String, _ data: JSONObject, request: String = "r1") async throws -> JSONObject {
        let answer = try await say(["command": .string(name), "data": .object(data), "request_id": .string(request)])
        guard let result = answer["data"]?.object, result["request_id"]?.string == request else {
            throw NeverHappened(what: "the request_id in the answer")
        }
        if let error = ProtocolError(object: result) { throw error }
        return result
    }

    // MARK: Login

    func challenge(for user: UserID) async throws -> AuthChallenge {
        try AuthChallenge(try await say(["type": "auth_challenge_request", "user_id": .string(user.text)]))
    }

    /// - Throws: the error of an `auth_error`.
    @discardableResult
    func login(_ frame: JSONObject) async throws -> AuthSuccess {
        let answer = try await say(frame)
        if let error = ProtocolError(object: answer) { throw error }
        return try AuthSuccess(answer)
    }

    static func registration(
        _ person: Person, _ challenge: AuthChallenge, node: NodeID, invite: String? = nil, key: SigningKey? = nil,
        file: JSONObject? = nil
    ) -> JSONObject {
        let file = file ?? person.identityFile()
        let signed = challenge.registrationObject(
            identity: file["identity"]?.object ?? [:], invite: invite, node: node)
        var frame: JSONObject = [
            "type": "auth_register", "identity_file": .object(file),
            "challenge": .string(Base64.encode(challenge.challenge)), "device": .string(person.device.text),
            "signature": .string((key ?? person.identityKey).sign(object: signed, purpose: .register).text),
        ]
        if let invite { frame["invite"] = .string(invite) }
        return frame
    }

    static func proof(
        _ person: Person, _ challenge: AuthChallenge, node: NodeID, key: SigningKey? = nil
    ) -> JSONObject {
        let key = key ?? person.identityKey
        let signed = challenge.proofObject(user: person.id, node: node)
        return [
            "type": "auth_proof", "challenge": .string(Base64.encode(challenge.challenge)),
            "signature": .string(key.sign(object: signed, purpose: .auth).text),
            "public_key": .string(key.publicKey.text), "device": .string(person.device.text),
        ]
    }

    @discardableResult
    func register(
        _ person: Person, at node: TestNode, invite: String? = nil, file: JSONObject? = nil
    ) async throws -> AuthSuccess {
        let challenge = try await challenge(for: person.id)
        return try await login(
            Self.registration(person, challenge, node: node.id, invite: invite, file: file))
    }

    @discardableResult
    func prove(_ person: Person, at node: TestNode) async throws -> AuthSuccess {
        try await login(Self.proof(person, try await challenge(for: person.id), node: node.id))
    }

    func received(_ upTo: Int64) async throws { try await command("received", ["upto": .integer(upTo)]) }

    func send(_ message: JSONObject) async throws -> JSONObject {
        try await command("send_message", ["message": .object(message)])
    }

    func channel(_ name: String, _ channel: String, by person: Person, at node: NodeID) async throws {
        let command = person.channelCommand(name, channel, at: node)
        try await self.command(name, ["channel": .string(channel), "command": .object(command)])
    }
}

extension TestNode {
    /// A registered user with published keys and an open socket.
    func enrol(
        _ name: String, type: String = "standard", preferences: JSONObject = [:]
    ) async throws -> (person: Person, client: TestClient) {
        let person = try Person(name, at: id)
        let client = await TestClient(self)
        let file = person.identityFile().setting("account_type", .string(type))
            .setting("preferences", .object(preferences))
        try await client.register(person, at: self, file: file)
        try await client.command("publish_keys", person.keys())
        return (person, client)
    }
}

/// Runs `body`, which must fail, and gives the stated error.
func refusal(_ body: () async throws -> some Any) async throws -> ProtocolError {
    do { _ = try await body() } catch let error as ProtocolError { return error }
    throw NeverHappened(what: "an error")
}
