public import GodwitCrypto
public import GodwitProtocol

/// The client's side of login and registration over WebSocket (004 §5.2, decision D-21), without the socket: frames in,
/// frames out.
///
/// Challenge → proof (or registration) → session → where asked for, the device's keys are published.
public struct LoginConversation: Sendable {
    public enum Purpose: Sendable, Hashable {
        case login
        case register(invite: String?)
    }

    /// What to do after a frame.
    public enum Step: Sendable, Hashable {
        /// Send this frame and wait for the next.
        case send(JSONObject)
        /// Nothing to say: an event that does not belong here.
        case wait
        /// All is done.
        case done(AuthSuccess)
    }

    private enum State: Sendable {
        case fresh, challenged, proven
        case publishing(AuthSuccess)
        case over
    }

    private static let requestID = "publish-keys"

    private let identity: IdentityFile
    private let key: SigningKey
    private let device: DeviceID
    private let purpose: Purpose
    private let publication: Publication?
    private var state = State.fresh

    /// - Parameter publication: what to publish once the session is open; nil: nothing.
    public init(
        identity: IdentityFile, key: SigningKey, device: DeviceID, purpose: Purpose, publication: Publication?
    ) {
        self.identity = identity
        self.key = key
        self.device = device
        self.purpose = purpose
        self.publication = publication
    }

    /// The first frame.
    public mutating func start() -> JSONObject {
        state = .challenged
        return ["type": "auth_challenge_request", "user_id": .string(identity.userID.text)]
    }

    /// - Throws: the node's own error when it refuses; `ProtocolError` 2000 for a frame that has no place here, 1000 for
    ///   a challenge whose times are not those of section 5.2. The conversation is over then.
    public mutating func receive(_ frame: JSONObject) throws(ProtocolError) -> Step {
        do {
            return try step(frame)
        } catch {
            state = .over
            throw error
        }
    }

    private mutating func step(_ frame: JSONObject) throws(ProtocolError) -> Step {
        switch (frame["type"]?.string, state) {
        case ("auth_error", _):
            throw ProtocolError(object: frame)
                ?? ProtocolError(.invalidCredentials, "The node refused the login.", hint: Self.loginHint)
        case ("auth_challenge", .challenged):
            let challenge = try AuthChallenge(frame)
            state = .proven
            return .send(try answer(to: challenge))
        case ("auth_success", .proven):
            let success = try AuthSuccess(frame)
            guard let publication else {
                state = .over
                return .done(success)
            }
            state = .publishing(success)
            return .send(SocketCommand("publish_keys", publication.object, requestID: Self.requestID).object)
        case (nil, .publishing(let success)): return try published(frame, success)
        case (nil, .proven): return .wait
        default:
            throw .malformed(
                "The node sent a frame that has no place in a login.", member: "type",
                hint: "Check that the address is that of a Godwit node.")
        }
    }

    private func answer(to challenge: AuthChallenge) throws(ProtocolError) -> JSONObject {
        let lifetime = challenge.expires.milliseconds - challenge.timestamp.milliseconds
        guard lifetime > 0, lifetime <= AuthChallenge.lifetime, (16...256).contains(challenge.challenge.count) else {
            throw ProtocolError(
                .invalidCredentials, "The node's challenge is not one that should be signed.",
                hint: "It must be random and good for at most five minutes; check the node.")
        }
        let node = identity.userID.node
        var frame: JSONObject = [
            "challenge": .string(Base64.encode(challenge.challenge)), "device": .string(device.text),
        ]
        switch purpose {
        case .login:
            let object = challenge.proofObject(user: identity.userID, node: node)
            frame["type"] = "auth_proof"
            frame["public_key"] = .string(key.publicKey.text)
            frame["signature"] = .string(key.sign(object: object, purpose: .auth).text)
        case .register(let invite):
            let object = challenge.registrationObject(identity: identity.identity, invite: invite, node: node)
            frame["type"] = "auth_register"
            frame["identity_file"] = .object(identity.object)
            frame["signature"] = .string(key.sign(object: object, purpose: .register).text)
            frame["invite"] = invite.map { .string($0) }
        }
        return frame
    }

    /// The answer to `publish_keys`; other events may come in between.
    private mutating func published(_ frame: JSONObject, _ success: AuthSuccess) throws(ProtocolError) -> Step {
        let event = try SocketEvent(frame)
        guard event.data["request_id"]?.string == Self.requestID else { return .wait }
        switch event.name {
        case "ack":
            state = .over
            return .done(success)
        case "error":
            throw ProtocolError(object: event.data)
                ?? ProtocolError(.internalError, "The node did not take the device's keys.", hint: "Try again later.")
        default: return .wait
        }
    }

    private static let loginHint = "Check the user id, the identity file and the node."
}
