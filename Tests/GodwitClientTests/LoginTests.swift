import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Login and registration (004 §5.2, D-21)")
struct LoginTests {
    private let key: SigningKey
    private let identity: IdentityFile
    private let device: DeviceID
    private let node: NodeID
    private let time = Timestamp(milliseconds: 1_773_466_632_000)

    init() throws {
        key = try SigningKey.generate()
        node = try NodeID("a7f3k9m2")
        identity = try Hub.identity("alice", on: node, key: key)
        device = try DeviceID("abcdefgh")
    }

    private var challenge: AuthChallenge {
        AuthChallenge(challenge: [UInt8](repeating: 9, count: 32), timestamp: time)
    }
    private var success: AuthSuccess {
        AuthSuccess(token: "t", expires: time.adding(milliseconds: 1_000), nodeInfo: [:])
    }

    private func conversation(
        _ purpose: LoginConversation.Purpose, publishing publication: Publication? = nil
    ) -> LoginConversation {
        LoginConversation(identity: identity, key: key, device: device, purpose: purpose, publication: publication)
    }

    @Test("a login asks for a challenge, signs what decision D-21 says, and ends with the session")
    func login() throws {
        var conversation = conversation(.login)
        #expect(try AuthRequest(conversation.start()) == .challengeRequest(user: identity.userID))
        let step = try conversation.receive(challenge.object)
        guard case .send(let frame) = step,
            case .proof(let bytes, let signature, let publicKey, let device)? = try AuthRequest(frame)
        else {
            Issue.record("no proof")
            return
        }
        #expect(bytes == challenge.challenge && publicKey == key.publicKey.bytes && device == self.device)
        let signed = challenge.proofObject(user: identity.userID, node: node)
        #expect(key.publicKey.verify(object: signed, signature: try Signature(text: signature), purpose: .auth))
        #expect(try conversation.receive(success.object) == .done(success))
    }

    @Test(
        "a registration sends the identity file and the invite, both signed", arguments: [nil, "welcome"] as [String?])
    func registration(invite: String?) throws {
        var conversation = conversation(.register(invite: invite))
        _ = conversation.start()
        let step = try conversation.receive(challenge.object)
        guard case .send(let frame) = step,
            case .register(let file, _, let signature, let sent, _)? = try AuthRequest(frame)
        else {
            Issue.record("no registration")
            return
        }
        #expect(file == identity && sent == invite)
        let signed = challenge.registrationObject(identity: identity.identity, invite: invite, node: node)
        #expect(key.publicKey.verify(object: signed, signature: try Signature(text: signature), purpose: .register))
    }

    @Test("keys are published after the login; events in between are passed over, the node's refusal is thrown")
    func publishing() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let publication = try await hub.enrol("olena", in: scratch).publication()
        var conversation = conversation(.register(invite: nil), publishing: publication)
        _ = conversation.start()
        _ = try conversation.receive(challenge.object)
        let step = try conversation.receive(success.object)
        guard case .send(let frame) = step else {
            Issue.record("no publication")
            return
        }
        let command = try SocketCommand(frame)
        #expect(command.name == "publish_keys" && command.data == publication.object)
        #expect(command.data["one_time_pre_keys"]?.array?.count == Device.oneTimePreKeyCount)
        #expect(try conversation.receive(SocketEvent("presence_update", [:]).object) == .wait)
        #expect(try conversation.receive(SocketEvent.ack("another").object) == .wait)
        var refused = conversation
        #expect(try conversation.receive(SocketEvent.ack(command.requestID).object) == .done(success))
        let error = ProtocolError(.insufficientPermissions, "No.", hint: "Ask.")
        let thrown = #expect(throws: ProtocolError.self) {
            try refused.receive(SocketEvent.failure(error, requestID: command.requestID, at: time).object)
        }
        #expect(thrown == error)
    }

    @Test("the node's error is thrown as it is, and nothing follows it")
    func refused() throws {
        var conversation = conversation(.login)
        _ = conversation.start()
        _ = try conversation.receive(challenge.object)
        let error = ProtocolError(.accountSuspended, "Suspended.", hint: "Ask the operator.")
        let frame: JSONObject = ["type": "auth_error", "error": .object(error.fields(at: time))]
        #expect(#expect(throws: ProtocolError.self) { try conversation.receive(frame) } == error)
        #expect(throws: ProtocolError.self) { try conversation.receive(success.object) }
    }

    @Test(
        "a challenge good for more than five minutes, or of fewer than 16 bytes, is not signed",
        arguments: [true, false])
    func strangeChallenge(isLong: Bool) throws {
        var strange = challenge
        if isLong {
            strange.expires = time.adding(milliseconds: AuthChallenge.lifetime + 1)
        } else {
            strange.challenge = [UInt8](repeating: 1, count: 15)
        }
        var conversation = conversation(.login)
        _ = conversation.start()
        let error = #expect(throws: ProtocolError.self) { try conversation.receive(strange.object) }
        #expect(error?.code == .invalidCredentials)
    }

    @Test("frames out of their turn are refused")
    func outOfTurn() throws {
        var fresh = conversation(.login)
        #expect(throws: ProtocolError.self) { try fresh.receive(challenge.object) }
        var early = conversation(.login)
        _ = early.start()
        #expect(throws: ProtocolError.self) { try early.receive(success.object) }
    }
}
