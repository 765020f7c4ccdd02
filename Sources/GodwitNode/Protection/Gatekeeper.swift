import GodwitContact
import GodwitProtocol
import Synchronization

/// Decides what is let in: limits of how often, and maintenance. Called from any thread; nothing of it waits.
final class Gatekeeper: Sendable {
    /// Buckets of each kind. With a few dozen bytes each, all kinds together stay below 2 MB.
    static let keysMax = 4_096
    /// Seconds after which to ask again while the node is being maintained.
    static let maintenancePause: Int64 = 60

    /// A user as a neighbour names it. Signatures are looked at later, so a neighbour may name whom it likes: it uses up
    /// nobody's turns but those of its own way.
    private struct UserElsewhere: Hashable {
        var user: UserID
        var neighbour: NodeID
    }

    /// Who has asked one kind of question how often.
    private struct Turns {
        var users: RateLimiter<UserID>
        var neighbours: RateLimiter<NodeID>
        var usersElsewhere: RateLimiter<UserElsewhere>

        init(_ user: RateLimit, neighbour: RateLimit) {
            users = RateLimiter(user, keysMax: keysMax)
            neighbours = RateLimiter(neighbour, keysMax: keysMax)
            usersElsewhere = RateLimiter(user, keysMax: keysMax)
        }

        mutating func take(_ question: LimitedQuestion, by user: UserID, from source: Party, at now: Duration) -> Wait?
        {
            switch source {
            case .device(let asker, _):
                // Whoever it names, it asks for itself.
                return users.take(asker, at: now).map { Wait(seconds: $0, limit: question.rawValue) }
            case .node(let node):
                if let seconds = neighbours.take(node, at: now) {
                    return Wait(seconds: seconds, limit: question.neighbourLimit)
                }
                guard let seconds = usersElsewhere.take(UserElsewhere(user: user, neighbour: node), at: now) else {
                    return nil
                }
                neighbours.giveBack(node, at: now)
                return Wait(seconds: seconds, limit: question.rawValue)
            }
        }
    }

    private struct State {
        var login: RateLimiter<SourceAddress?>
        var refusedLogins: RateLimiter<SourceAddress?>
        var requests: RateLimiter<SourceAddress?>
        var commands: RateLimiter<UserID>
        var messages: RateLimiter<UserID>
        var lookups: Turns
        var messageRequests: Turns
        var passwords: RateLimiter<UserID>
        var forgedFrames: RateLimiter<Bool>
        var isMaintained = false

        init(_ limits: ProtectionLimits) {
            login = RateLimiter(limits.login, keysMax: keysMax)
            refusedLogins = RateLimiter(limits.refusedLogins, keysMax: keysMax)
            requests = RateLimiter(limits.requests, keysMax: keysMax)
            commands = RateLimiter(limits.commands, keysMax: keysMax)
            messages = RateLimiter(limits.messages, keysMax: keysMax)
            lookups = Turns(limits.claims, neighbour: limits.neighbourClaims)
            messageRequests = Turns(limits.messageRequests, neighbour: limits.neighbourMessageRequests)
            passwords = RateLimiter(limits.passwords, keysMax: keysMax)
            forgedFrames = RateLimiter(limits.forgedFrames, keysMax: 1)
        }
    }

    private let state: Mutex<State>
    private let time: any TimeSource

    init(_ limits: ProtectionLimits, time: any TimeSource) {
        state = Mutex(State(limits))
        self.time = time
    }

    /// Takes other limits; what was counted so far is forgotten.
    func set(_ limits: ProtectionLimits) {
        state.withLock { state in
            let isMaintained = state.isMaintained
            state = State(limits)
            state.isMaintained = isMaintained
        }
    }

    // MARK: Maintenance

    var isMaintained: Bool {
        get { state.withLock { $0.isMaintained } }
        set { state.withLock { $0.isMaintained = newValue } }
    }

    /// - Throws: `ProtocolError` 9001 while the node is being maintained.
    func checkOpen() throws(ProtocolError) {
        guard !isMaintained else { throw Self.maintained }
    }

    static let maintained = ProtocolError(
        .maintenanceMode, "The node is being maintained.", hint: "Try again later; nothing that is kept here is lost.",
        details: ["retry_after": .integer(maintenancePause)])

    // MARK: Limits

    func admit(_ kind: RequestKind, from source: SourceAddress?) throws(ProtocolError) {
        try checkOpen()
        let now = time.uptime()
        let wait = state.withLock { state -> Int? in
            switch kind {
            case .login: state.refusedLogins.wait(source, at: now) ?? state.login.take(source, at: now)
            case .requests: state.requests.take(source, at: now)
            }
        }
        try Self.check(wait, kind.rawValue)
    }

    func refusedLogin(from source: SourceAddress?) {
        let now = time.uptime()
        state.withLock { _ = $0.refusedLogins.take(source, at: now) }
    }

    func command(_ name: String, by user: UserID) throws(ProtocolError) {
        try checkOpen()
        let now = time.uptime()
        let isClaim = name == "claim_keys" || name == "lookup_user"
        let (wait, claims) = state.withLock { state -> (Int?, Int?) in
            (state.commands.take(user, at: now), isClaim ? state.lookups.users.take(user, at: now) : nil)
        }
        try Self.check(wait, "commands")
        try Self.check(claims, "claims")
    }

    /// Before a message that a socket lines up.
    func message(by user: UserID) throws(ProtocolError) {
        try checkOpen()
        let now = time.uptime()
        try Self.check(state.withLock { $0.messages.take(user, at: now) }, "messages")
    }

    /// Before a question that takes a one-time pre-key, asked as something else than a command of that name.
    func claim(by user: UserID) throws(ProtocolError) {
        let now = time.uptime()
        try Self.check(state.withLock { $0.lookups.users.take(user, at: now) }, "claims")
    }

    /// A limit that something has to wait for.
    struct Wait {
        /// 1 or more.
        var seconds: Int
        var limit: String

        var error: ProtocolError {
            ProtocolError(
                .rateLimited, "There were too many requests of this kind.", hint: "Wait for the stated time.",
                details: ["retry_after": .integer(Int64(seconds)), "limit": .string(limit)])
        }
    }

    /// Before a question that came in a frame is answered or passed on: it takes from what its user has over sockets, or,
    /// from a neighbour, from what that one has and from what its user has there.
    /// - Returns: nil where it may go on.
    func turn(for question: LimitedQuestion, by user: UserID, from source: Party) -> Wait? {
        let now = time.uptime()
        return state.withLock { state in
            switch question {
            case .lookup: state.lookups.take(question, by: user, from: source, at: now)
            case .messages: state.messageRequests.take(question, by: user, from: source, at: now)
            }
        }
    }

    /// Before a one-time password is looked at: counted as wrong until it has proved right, so that many at the same
    /// moment are no more tries than one after the other.
    func password(of user: UserID) throws(ProtocolError) {
        let now = time.uptime()
        try Self.check(state.withLock { $0.passwords.take(user, at: now) }, "passwords")
    }

    func rightPassword(of user: UserID) {
        let now = time.uptime()
        state.withLock { $0.passwords.giveBack(user, at: now) }
    }

    /// Before a frame is opened: while too many forged ones come, honest ones wait too, for they cannot be told apart.
    func frame() throws(ProtocolError) {
        try checkOpen()
        let now = time.uptime()
        try Self.check(state.withLock { $0.forgedFrames.wait(true, at: now) }, "forged_frames")
    }

    func forgedFrame() {
        let now = time.uptime()
        state.withLock { _ = $0.forgedFrames.take(true, at: now) }
    }

    private static func check(_ wait: Int?, _ limit: String) throws(ProtocolError) {
        guard let wait else { return }
        NodeMetrics.limited(limit)
        throw Wait(seconds: wait, limit: limit).error
    }
}
