import GodwitProtocol
import Testing

/// Login frames (004 §5.2, D-21, AUTH rows).
@Suite("Login frames")
struct AuthFrameTests {
    private func read(_ object: JSONObject) throws(ProtocolError) -> AuthRequest? { try AuthRequest(object) }

    static let proof: JSONObject = [
        "type": "auth_proof", "challenge": "AAAA", "signature": Sample.signature, "public_key": Sample.ed25519(1),
        "device": Sample.device(1),
    ]
    static let registration: JSONObject = [
        "type": "auth_register", "identity_file": .object(Sample.identityFile), "challenge": "AAAA",
        "signature": Sample.signature, "invite": "code", "device": Sample.device(1),
    ]

    @Test("each frame is read (AUTH-02, AUTH-05, D-21)")
    func frames() throws {
        let user = try UserID(Sample.alice)
        let device = DeviceEntry.id(of: Sample.bytes(1))
        let signature = try #require(Sample.signature.string)
        #expect(
            try read(["type": "auth_challenge_request", "user_id": .string(Sample.alice), "client_info": ["name": "x"]])
                == .challengeRequest(user: user))
        #expect(
            try read(Self.proof)
                == .proof(challenge: [0, 0, 0], signature: signature, publicKey: Sample.bytes(1), device: device))
        #expect(
            try read(Self.registration)
                == .register(
                    identityFile: IdentityFile(Sample.identityFile), challenge: [0, 0, 0], signature: signature,
                    invite: "code", device: device))
        #expect(try read(["type": "auth_refresh", "session_token": "t"]) == .refresh(token: "t"))
        #expect(try read(["type": "auth_token", "session_token": "t"]) == .token("t"))
    }

    @Test("invite and device may be absent or null")
    func optional() throws {
        for value: JSONValue? in [nil, .null] {
            var object = Self.registration
            object["invite"] = value
            object["device"] = value
            guard case .register(_, _, _, nil, nil)? = try read(object) else {
                Issue.record("a registration without invite and device is read")
                return
            }
        }
    }

    static var wrong: [(JSONObject, WrongMember)] {
        var cases: [(JSONObject, WrongMember)] = [
            (proof, WrongMember("challenge", "AAA")), (proof, WrongMember("device", 1)),
            (proof, WrongMember("device", "x")), (registration, WrongMember("invite", 1)),
            (["type": "auth_challenge_request"], WrongMember("user_id", nil)),
            (["type": "auth_challenge_request"], WrongMember("user_id", "alice")),
            (["type": "auth_refresh"], WrongMember("session_token", nil)),
            (["type": "auth_token"], WrongMember("session_token", 1)),
            ([:], WrongMember("type", "auth_other")), ([:], WrongMember("type", "auth_success")),
        ]
        for key in ["challenge", "signature", "public_key"] {
            cases += [(proof, WrongMember(key, nil)), (proof, WrongMember(key, 1))]
        }
        for key in ["identity_file", "challenge", "signature"] {
            cases += [(registration, WrongMember(key, nil)), (registration, WrongMember(key, 1))]
        }
        return cases
    }

    @Test("a member that is missing or wrong is named", arguments: wrong)
    func members(object: JSONObject, wrong: WrongMember) {
        #expect(wrong.isNamed(by: refusal { () throws(ProtocolError) in try read(wrong.applied(to: object)) }))
    }

    @Test("what is no login frame is left to others")
    func others() throws {
        for object: JSONObject in [[:], ["type": "message"], ["type": 1], ["command": "x"]] {
            #expect(try read(object) == nil)
        }
    }

    @Test("a challenge lives five minutes and is read back (AUTH-04)")
    func challenge() throws {
        let time = try #require(Timestamp(iso8601: Sample.time))
        let challenge = AuthChallenge(challenge: Sample.bytes(1), timestamp: time)
        #expect(challenge.expires.description == "2025-09-06T10:35:00.123Z")
        #expect(try AuthChallenge(challenge.object) == challenge)
        let values: [(String, JSONValue)] = [
            ("type", "auth_proof"), ("challenge", "A"), ("timestamp", "2025-09-06T10:30:00Z"), ("expires", 1),
        ]
        for (key, value) in values {
            let error = refusal { () throws(ProtocolError) in try AuthChallenge(challenge.object.setting(key, value)) }
            #expect(WrongMember(key, nil).isNamed(by: error))
        }
    }

    @Test("what a login and a registration sign has the members of D-21")
    func signedObjects() throws {
        let time = try #require(Timestamp(iso8601: Sample.time))
        let challenge = AuthChallenge(challenge: [0, 0, 0], timestamp: time)
        let node = try NodeID("a7f3k9m2")
        #expect(
            challenge.proofObject(user: try UserID(Sample.alice), node: node).canonicalText
                == #"{"challenge":"AAAA","expires":"2025-09-06T10:35:00.123Z","node_id":"a7f3k9m2","#
                + #""timestamp":"2025-09-06T10:30:00.123Z","user_id":"a7f3k9m2.alice-river-7x9k"}"#)
        #expect(
            challenge.registrationObject(identity: ["a": 1], invite: nil, node: node).canonicalText
                == #"{"challenge":"AAAA","expires":"2025-09-06T10:35:00.123Z","identity":{"a":1},"invite":null,"#
                + #""node_id":"a7f3k9m2","timestamp":"2025-09-06T10:30:00.123Z"}"#)
        #expect(challenge.registrationObject(identity: [:], invite: "c", node: node)["invite"] == "c")
    }

    @Test("the end of a login is read back (AUTH-07)")
    func success() throws {
        let expires = try #require(Timestamp(iso8601: Sample.time))
        let success = AuthSuccess(token: "t", expires: expires, nodeInfo: ["id": "a7f3k9m2"])
        #expect(success.object["type"] == "auth_success")
        #expect(try AuthSuccess(success.object) == success)
        for key in ["session_token", "expires", "node_info"] {
            let error = refusal { () throws(ProtocolError) in try AuthSuccess(success.object.setting(key, 1)) }
            #expect(WrongMember(key, nil).isNamed(by: error))
        }
    }
}

/// Envelopes of the WebSocket (004 §7, WS-04, WS-09, D-21).
@Suite("Socket frames")
struct SocketFrameTests {
    @Test("commands and events are read back")
    func roundTrips() throws {
        for id in [nil, "req_1"] {
            let command = SocketCommand("update_status", ["status": "away"], requestID: id)
            #expect(try SocketCommand(command.object) == command)
        }
        let event = SocketEvent("user_status", ["status": "away"])
        #expect(try SocketEvent(event.object) == event)
    }

    @Test("a request id of 64 bytes is accepted, 65 are refused")
    func requestID() throws {
        func command(_ id: String) -> JSONObject { ["command": "x", "data": [:], "request_id": .string(id)] }
        for id in [String(repeating: "r", count: 64), String(repeating: "é", count: 32)] {
            #expect(try SocketCommand(command(id)).requestID == id)
        }
        for id in [String(repeating: "r", count: 65), String(repeating: "é", count: 33)] {
            let error = refusal { () throws(ProtocolError) in try SocketCommand(command(id)) }
            #expect(WrongMember("request_id", nil).isNamed(by: error))
        }
    }

    @Test("a member that is missing or wrong is named")
    func wrong() {
        let command: JSONObject = ["command": "x", "data": [:], "request_id": "r"]
        for wrong in [
            WrongMember("command", nil), .init("command", 1), .init("data", nil), .init("data", []),
            .init("request_id", 1),
        ] {
            #expect(
                wrong.isNamed(by: refusal { () throws(ProtocolError) in try SocketCommand(wrong.applied(to: command)) })
            )
        }
        let event: JSONObject = ["event": "x", "data": [:]]
        for wrong in [WrongMember("event", nil), .init("event", 1), .init("data", nil), .init("data", "x")] {
            #expect(
                wrong.isNamed(by: refusal { () throws(ProtocolError) in try SocketEvent(wrong.applied(to: event)) }))
        }
    }

    @Test("answers carry the request id, and errors the error (D-21)")
    func answers() throws {
        let time = try #require(Timestamp(iso8601: Sample.time))
        #expect(SocketEvent.ack("r", ["id": "x"]).object == ["event": "ack", "data": ["request_id": "r", "id": "x"]])
        #expect(SocketEvent.ack(nil).data.isEmpty)
        let failure = SocketEvent.failure(ProtocolError(.rateLimited, "Slow."), requestID: "r", at: time)
        #expect(failure.name == "error" && failure.data["request_id"] == "r")
        #expect(failure.data["error"]?.object?["code"] == "RATE_LIMITED")
        #expect(ProtocolError(object: failure.data)?.code == .rateLimited)
        #expect(PresenceStatus.allCases.map(\.rawValue) == ["online", "away", "offline"])
    }
}
