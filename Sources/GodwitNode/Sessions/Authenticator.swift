import GodwitContact
import GodwitCrypto
public import GodwitProtocol
import GodwitSpool

/// A session as it was opened.
public struct Session: Sendable, Hashable {
    public var user: UserID
    /// The device it is for; nil: no queue is emptied over it.
    public var device: DeviceID?
    /// What the client is told of it.
    public var success: AuthSuccess
}

/// Opens sessions: challenge, proof, token (004 §5). Unknown users get the same answers, after the same work.
actor Authenticator {
    private let spool: SQLiteSpool
    private let context: NodeContext
    private let time: any TimeSource
    private let tokens: SessionTokens
    private let registration: RegistrationPolicy
    private let nodeInfo: JSONObject
    private var challenges = Challenges()

    init(
        spool: SQLiteSpool, context: NodeContext, time: any TimeSource, tokens: SessionTokens,
        registration: RegistrationPolicy, nodeInfo: JSONObject
    ) {
        self.spool = spool
        self.context = context
        self.time = time
        self.tokens = tokens
        self.registration = registration
        self.nodeInfo = nodeInfo
    }

    func challenge(for user: UserID) -> AuthChallenge {
        challenges.issue(to: user, at: time.now(), uptime: time.uptime())
    }

    private static let refused = ProtocolError(
        .invalidCredentials, "The login was refused.",
        hint: "Check the user id, the identity file and the node; then ask for a new challenge.")

    /// Checks a proof of identity.
    /// - Throws: `ProtocolError` 1000.
    func prove(
        user: UserID, challenge: [UInt8], signature: String, publicKey: [UInt8], device: DeviceID?
    ) async throws -> Session {
        let issued = try challenges.redeem(challenge, by: user, uptime: time.uptime())
        let known = try await read { try $0.user(user) }
        // A key that signed nothing stands in for unknown users, so that the work is the same.
        let key = try VerifyingKey(known?.publicKey ?? context.signingKey.publicKey.bytes)
        let object = issued.proofObject(user: user, node: context.id)
        let verified = (try? Signature(text: signature)).map {
            key.verify(object: object, signature: $0, purpose: .auth)
        }
        guard verified == true, let known, known.isLocal, known.publicKey == publicKey else { throw Self.refused }
        return try await open(user, device)
    }

    /// Registers a user of this node and opens a session.
    /// - Throws: `ProtocolError` 1000, 1002.
    func register(
        file: IdentityFile, challenge: [UInt8], signature: String, invite: String?, device: DeviceID?
    ) async throws -> Session {
        let issued = try challenges.redeem(challenge, by: file.userID, uptime: time.uptime())
        try registration.check(invite)
        guard file.userID.node == context.id else {
            throw ProtocolError(
                .insufficientPermissions, "The identity belongs to another node.",
                hint: "Make an identity for node \(context.id.text).")
        }
        try KeyChecks.verify(file)
        let object = issued.registrationObject(identity: file.identity, invite: invite, node: context.id)
        guard let parsed = try? Signature(text: signature),
            try VerifyingKey(file.publicKey).verify(object: object, signature: parsed, purpose: .register)
        else { throw Self.refused }
        let (context, now) = (context, time.now())
        try await spool.write { transaction in
            try NodeTransaction(transaction, context: context, now: now).register(file)
        }
        return try await open(file.userID, device)
    }

    /// Continues a session by its token.
    func resume(token: String) async throws -> Session {
        let open = try await tokens.read(token, at: time.now())
        let isOpen = try await spool.read { try NodeTransaction.isSessionOpen(open.id, in: $0) }
        guard isOpen else {
            throw ProtocolError(.sessionExpired, "The session was ended.", hint: "Log in again.")
        }
        return Session(
            user: open.user, device: open.device,
            success: AuthSuccess(token: token, expires: open.expires, nodeInfo: nodeInfo))
    }

    /// A new token for an open session; the old one ends.
    func refresh(token: String) async throws -> Session {
        let old = try await resume(token: token)
        let id = try await tokens.read(token, at: time.now()).id
        try await spool.write { try NodeTransaction.endSession(id, in: $0) }
        return try await open(old.user, old.device)
    }

    private func open(_ user: UserID, _ device: DeviceID?) async throws -> Session {
        let now = time.now()
        let id = Base32.encode(SystemRandom().bytes(16))
        var success = try await tokens.issue(to: user, device: device, id: id, at: now)
        success.nodeInfo = nodeInfo
        let expires = success.expires
        try await spool.write { transaction in
            try NodeTransaction.openSession(id, user, device, from: now, to: expires, in: transaction)
        }
        return Session(user: user, device: device, success: success)
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value
    ) async throws -> Value {
        let (context, now) = (context, time.now())
        return try await spool.read { try body(NodeTransaction($0, context: context, now: now)) }
    }
}

/// Who may register (gap G-29).
public enum RegistrationPolicy: Sendable, Hashable {
    case open
    /// Needs one of these invites.
    case invite(Set<String>)
    case closed

    func check(_ invite: String?) throws {
        switch self {
        case .open: return
        case .closed:
            throw ProtocolError(
                .insufficientPermissions, "This node takes no registrations.", hint: "Ask its operator.")
        case .invite(let valid):
            guard let invite, valid.contains(invite) else {
                throw ProtocolError(
                    .insufficientPermissions, "Registration on this node needs a valid invite.",
                    hint: "Ask its operator for one.")
            }
        }
    }
}
