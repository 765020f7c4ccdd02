import GodwitContact
import GodwitCrypto
public import GodwitProtocol
import GodwitSpool

/// A session as it was opened.
public struct Session: Sendable, Hashable {
    /// Stays when the token is refreshed.
    public var name: String
    public var user: UserID
    /// The device it is for; nil: no queue is emptied over it.
    public var device: DeviceID?
    /// What the client is told of it.
    public var success: AuthSuccess

    public init(name: String, user: UserID, device: DeviceID?, success: AuthSuccess) {
        self.name = name
        self.user = user
        self.device = device
        self.success = success
    }
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

    /// Continues a session by its token. The row is looked up each time, so what ends a session ends it at once
    /// (gap G-31).
    func resume(token: String) async throws -> Session {
        let record = try await record(of: token)
        return Session(
            name: record.name, user: record.user, device: record.device,
            success: AuthSuccess(token: token, expires: record.expires, nodeInfo: nodeInfo))
    }

    /// Milliseconds after which a token cannot be refreshed any more: 4 hours (004 §5.3). Whoever was away for longer
    /// proves again, so a stolen token that lies unused is worth nothing after 8 hours.
    static let refreshMax: Int64 = 14_400_000

    /// A new token for an open session; the old one ends.
    /// - Throws: `ProtocolError` 1000, 1001.
    func refresh(token: String) async throws -> Session {
        var record = try await record(of: token)
        guard time.now().milliseconds - record.issued.milliseconds <= Self.refreshMax else {
            throw ProtocolError(
                .sessionExpired, "A session can be refreshed for four hours after its last refresh.",
                hint: "Log in again.")
        }
        let old = record.token
        return try await issue(&record) { transaction in
            // Of two refreshes of one token at the same time only one may win.
            guard try transaction.session(token: old) != nil else { throw Self.ended }
            try transaction.end(token: old)
        }
    }

    private static let ended = ProtocolError(.sessionExpired, "The session was ended.", hint: "Log in again.")

    /// The open session of a token.
    private func record(of token: String) async throws -> SessionRecord {
        let open = try await tokens.read(token, at: time.now())
        guard let record = try await read({ try $0.session(token: open.id) }) else { throw Self.ended }
        return record
    }

    /// - Returns: until when the session is open now; nil if it was ended.
    func expiry(of session: Session) async throws -> Timestamp? {
        try await read { try $0.sessions(of: session.user) }.first { $0.name == session.name }?.expires
    }

    private func open(_ user: UserID, _ device: DeviceID?) async throws -> Session {
        let now = time.now()
        var record = SessionRecord(
            token: "", name: Self.randomName(), user: user, device: device, opened: now, issued: now, expires: now)
        return try await issue(&record) { _ in }
    }

    /// Gives a session a token, and stores both in the transaction in which `change` does what has to be done besides.
    private func issue(
        _ record: inout SessionRecord, _ change: @escaping @Sendable (NodeTransaction) throws -> Void
    ) async throws -> Session {
        let now = time.now()
        record.token = Self.randomName()
        record.issued = now
        var success = try await tokens.issue(to: record.user, device: record.device, id: record.token, at: now)
        success.nodeInfo = nodeInfo
        record.expires = success.expires
        let (context, stored) = (context, record)
        try await spool.write { transaction in
            let node = NodeTransaction(transaction, context: context, now: now)
            try change(node)
            try node.open(stored)
        }
        return Session(name: stored.name, user: stored.user, device: stored.device, success: success)
    }

    private static func randomName() -> String { Base32.encode(SystemRandom().bytes(16)) }

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
