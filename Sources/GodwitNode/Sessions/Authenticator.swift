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
    let core: NodeCore
    private let tokens: SessionTokens
    private var registration: RegistrationPolicy
    private let nodeInfo: JSONObject
    private var challenges = Challenges()
    private let ledger = RefusedLogins()

    init(core: NodeCore, tokens: SessionTokens, registration: RegistrationPolicy, nodeInfo: JSONObject) {
        self.core = core
        self.tokens = tokens
        self.registration = registration
        self.nodeInfo = nodeInfo
    }

    /// Who may register from now on.
    func set(_ registration: RegistrationPolicy) { self.registration = registration }

    func challenge(for user: UserID) -> AuthChallenge {
        challenges.issue(to: user, at: core.time.now(), uptime: core.time.uptime())
    }

    /// One step of the login, counted; what was refused counts against where it came from.
    /// - Parameter user: who asked for the challenge of a proof.
    func open(_ login: Login, for user: UserID?, from source: SourceAddress?) async throws -> Session {
        do {
            let session = try await open(login, for: user)
            NodeMetrics.login(login.step, "accepted")
            return session
        } catch let error as ProtocolError {
            NodeMetrics.login(login.step, error.code.name)
            if error.code == .invalidCredentials {
                core.gate.refusedLogin(from: source)
                ledger.note(user ?? login.user, login.step)
            }
            throw error
        }
    }

    private func open(_ login: Login, for user: UserID?) async throws -> Session {
        switch login.request {
        case .proof(let challenge, let signature, let publicKey, let device):
            guard let user else {
                throw ProtocolError(.invalidCredentials, "No challenge was asked for on this socket.")
            }
            return try await prove(
                user: user, challenge: challenge, signature: signature, publicKey: publicKey, device: device,
                password: login.password)
        case .register(let file, let challenge, let signature, let invite, let device):
            return try await register(
                file: file, challenge: challenge, signature: signature, invite: invite, device: device,
                password: login.password)
        case .refresh(let token): return try await refresh(token: token)
        case .token(let token): return try await resume(token: token)
        case .challengeRequest: throw ProtocolError.malformed("A challenge opens no session.", member: "type")
        }
    }

    /// Writes down what was refused since the last call.
    func noteRefusals() async throws {
        let refusals = ledger.take()
        guard !refusals.isEmpty else { return }
        try await core.write { transaction in
            for refusal in refusals {
                try transaction.audit(
                    .loginRefused, subject: refusal.key.user, refusal.key.step, count: refusal.value)
            }
        }
    }

    private static let refused = ProtocolError(
        .invalidCredentials, "The login was refused.",
        hint: "Check the user id, the identity file and the node; then ask for a new challenge.")

    /// Checks a proof of identity.
    /// - Throws: `ProtocolError` 1000.
    private func prove(
        user: UserID, challenge: [UInt8], signature: String, publicKey: [UInt8], device: DeviceID?, password: String?
    ) async throws -> Session {
        let issued = try challenges.redeem(challenge, by: user, uptime: core.time.uptime())
        let known = try await core.read { try $0.user(user) }
        // A key that signed nothing stands in for unknown users, so that the work is the same.
        let key = try VerifyingKey(known?.publicKey ?? core.context.signingKey.publicKey.bytes)
        let object = issued.proofObject(user: user, node: core.context.id)
        let verified = (try? Signature(text: signature)).map {
            key.verify(object: object, signature: $0, purpose: .auth)
        }
        guard verified == true, let known, known.isLocal, known.publicKey == publicKey else { throw Self.refused }
        try await checkSecondFactor(of: user, password)
        return try await open(user, device) { try $0.audit(.loginAccepted, user) }
    }

    /// Asks for a one-time password where the user has set one up. Reached only by who holds the identity's key.
    private func checkSecondFactor(of user: UserID, _ password: String?) async throws {
        guard try await core.read({ try $0.secondFactor(of: user) })?.isConfirmed == true else { return }
        guard let password else { throw ProtocolError.wrongOneTimePassword }
        try core.gate.password(of: user)
        let isGood = try await core.write { transaction in
            guard let factor = try transaction.secondFactor(of: user), factor.isConfirmed else { return true }
            guard try transaction.accept(password, by: factor, of: user) else { return false }
            if RecoveryCode.isOne(password) { try transaction.audit(.recoveryCodeUsed, user) }
            return true
        }
        guard isGood else { throw ProtocolError.wrongOneTimePassword }
        core.gate.rightPassword(of: user)
    }

    /// Registers a user of this node and opens a session.
    /// - Throws: `ProtocolError` 1000, 1002.
    private func register(
        file: IdentityFile, challenge: [UInt8], signature: String, invite: String?, device: DeviceID?,
        password: String?
    ) async throws -> Session {
        let issued = try challenges.redeem(challenge, by: file.userID, uptime: core.time.uptime())
        let node = core.context.id
        guard file.userID.node == node else {
            throw ProtocolError(
                .insufficientPermissions, "The identity belongs to another node.",
                hint: "Make an identity for node \(node.text).")
        }
        try KeyChecks.verify(file)
        let object = issued.registrationObject(identity: file.identity, invite: invite, node: node)
        guard let parsed = try? Signature(text: signature),
            try VerifyingKey(file.publicKey).verify(object: object, signature: parsed, purpose: .register)
        else { throw Self.refused }
        // A node that takes no registrations still lets its users renew what they show. A file vouches for its own key
        // only, so whoever has another learns nothing of a second factor, and uses up none of its tries.
        if let known = try await core.read({ try $0.user(file.userID) }) {
            guard known.isLocal, known.publicKey == file.publicKey else { throw ProtocolError.nameTaken }
            try await checkSecondFactor(of: file.userID, password)
        }
        let policy = registration
        return try await open(file.userID, device) { transaction in
            let isNew = try transaction.user(file.userID) == nil
            if isNew { try transaction.admit(invite, by: policy) }
            try transaction.register(file)
            try transaction.audit(isNew ? .registered : .loginAccepted, file.userID)
        }
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
        guard core.time.now().milliseconds - record.issued.milliseconds <= Self.refreshMax else {
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
        let open = try await tokens.read(token, at: core.time.now())
        guard let record = try await core.read({ try $0.session(token: open.id) }) else { throw Self.ended }
        return record
    }

    /// - Returns: until when the session is open now; nil if it was ended.
    func expiry(of session: Session) async throws -> Timestamp? {
        try await core.read { try $0.sessions(of: session.user) }.first { $0.name == session.name }?.expires
    }

    /// Opens a session in the transaction in which `change` does what it stands for.
    private func open(
        _ user: UserID, _ device: DeviceID?, _ change: @escaping @Sendable (NodeTransaction) throws -> Void
    ) async throws -> Session {
        let now = core.time.now()
        var record = SessionRecord(
            token: "", name: Self.randomName(), user: user, device: device, opened: now, issued: now, expires: now)
        return try await issue(&record, change)
    }

    /// Gives a session a token, and stores both in the transaction in which `change` does what has to be done besides.
    private func issue(
        _ record: inout SessionRecord, _ change: @escaping @Sendable (NodeTransaction) throws -> Void
    ) async throws -> Session {
        let now = core.time.now()
        record.token = Self.randomName()
        record.issued = now
        var success = try await tokens.issue(to: record.user, device: record.device, id: record.token, at: now)
        success.nodeInfo = nodeInfo
        record.expires = success.expires
        let stored = record
        try await core.write { transaction in
            try change(transaction)
            try transaction.open(stored)
        }
        return Session(name: stored.name, user: stored.user, device: stored.device, success: success)
    }

    private static func randomName() -> String { Base32.encode(SystemRandom().bytes(16)) }
}

/// Who may register (gap G-29).
public enum RegistrationPolicy: Sendable, Hashable {
    case open
    /// Needs one of these invites, or one that `godwit node invite` made.
    case invite(Set<String>)
    case closed
}
