import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Logging

/// One client's socket: login first, then commands in, events out.
///
/// What waits for the session's device is pushed in order of arrival and stays in the spool until the client says
/// `received`; a client that comes back gets it again.
actor ClientSocket: SocketSession {
    /// Items pushed and not acknowledged; further ones wait for `received`.
    private static let inFlightMax = 128
    /// Bytes of them; one item may be larger.
    private static let inFlightBytesMax = 1_048_576

    private let core: NodeCore
    private let authenticator: Authenticator
    private let presence: PresenceBoard
    private let desk: CommandDesk
    private let line = AnswerLine<SentAnswer>()
    private var answering: Task<Void, Never>?
    private let outbox: any SocketOutbox
    private let source: SourceAddress?
    private var pendingUser: UserID?
    private var session: Session?
    private var watch: Int?
    private var pump: Task<Void, Never>?
    private var pushedUpTo: Int64 = 0
    /// What the client says at login that it has from an earlier socket.
    private var hasUpTo: Int64 = 0
    private var inFlight: [(row: Int64, bytes: Int)] = []
    private var isPushing = false
    private var wantsPush = false
    /// Something may wait that the window had no room for.
    private var isHeldUp = false
    private var isAnswering = false
    private var hasEnded = false

    init(
        core: NodeCore, authenticator: Authenticator, presence: PresenceBoard, outbox: any SocketOutbox,
        source: SourceAddress?
    ) {
        self.core = core
        self.authenticator = authenticator
        self.presence = presence
        desk = CommandDesk(core: core, presence: presence)
        self.outbox = outbox
        self.source = source
    }

    func isAuthenticated() -> Bool { session != nil }

    func received(_ text: [UInt8]) async {
        var requestID: String?
        do {
            let object = try JSONObject.parse(text, limits: JSONLimits(bytes: SocketLimits.messageMax))
            if let login = try Login(object) {
                await line.drained()
                hasUpTo = max(0, object["received_upto"]?.integer ?? 0)
                return await apart { await self.authenticate(login) }
            }
            requestID = object["request_id"]?.string.flatMap { $0.utf8.count <= SocketCommand.requestIDMax ? $0 : nil }
            let command = try SocketCommand(object)
            guard let session else {
                throw ProtocolError(
                    .invalidCredentials, "This socket has no session yet.", hint: "Send auth_challenge_request first.")
            }
            guard try await isCurrent(session) else { return }
            if command.name == "send_message" {
                try core.gate.message(by: session.user)
                return await lineUp(command, session)
            }
            await apart { await self.answer(command, session) }
        } catch {
            await line.drained()
            push(failure(error, requestID))
        }
    }

    private func answer(_ command: SocketCommand, _ session: Session) async {
        // Answers come in the order of the commands; what was received has none that matters.
        if command.name != "received" { await line.drained() }
        // It may have ended meanwhile.
        guard self.session?.name == session.name else { return }
        isAnswering = true
        defer { isAnswering = false }
        do {
            let result = try await carryOut(command, session)
            push(.ack(command.requestID, result))
            if hasEnded { closeEnded() }
        } catch {
            await line.drained()
            push(failure(error, command.requestID))
        }
    }

    /// Runs in a task of its own. A task keeps the memory of its deepest call until it ends, and those of a socket last
    /// for days: with the commands in them an idle socket held 25 kB more.
    private nonisolated func apart(_ body: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask(operation: body)
            await group.waitForAll()
        }
    }

    private func failure(_ error: any Error, _ requestID: String?) -> SocketEvent {
        if !(error is ProtocolError) {
            core.logger.error("a command failed", metadata: ["error": "\(type(of: error))"])
        }
        let failure = error as? ProtocolError ?? ProtocolError(.internalError, "The command failed on this node.")
        NodeMetrics.failed(failure.code, over: "socket")
        return .failure(failure, requestID: requestID, at: core.time.now())
    }

    /// A message is answered when it is durable; meanwhile the next ones may come, and share its commit.
    private func lineUp(_ command: SocketCommand, _ session: Session) async {
        startAnswering()
        await line.enter()
        guard self.session?.name == session.name else { return line.finished() }
        let (line, requestID) = (line, command.requestID)
        desk.submitMessage(ObjectReader(command.data, what: "command"), session) { outcome in
            line.answer(SentAnswer(requestID: requestID, outcome: outcome))
        }
    }

    /// Most sockets are idle, so the task that answers messages begins with the first one.
    private func startAnswering() {
        guard answering == nil else { return }
        let (signals, given, handler) = (line.signals, line.given, core.aftermath)
        answering = Task { [weak self] in
            for await _ in signals {
                let answers = given.take()
                // Whom a message is for must learn of it, also when its author has gone.
                await handler.carryOut(SentAnswer.aftermath(of: answers))
                await self?.give(answers)
            }
        }
    }

    private func give(_ answers: [SentAnswer]) {
        for answer in answers {
            switch answer.outcome {
            case .success(let (result, _)): push(.ack(answer.requestID, result))
            case .failure(let error): push(failure(error, answer.requestID))
            }
        }
        line.finished(answers.count)
    }

    func closed() async {
        guard let session else { return }
        if let watch, let device = session.device {
            core.notifier.stop(watch, for: .device(session.user, device))
        }
        pump?.cancel()
        self.session = nil
        let isLast = await presence.left(session.user, self)
        await tell(session, isLast ? .offline : nil)
    }

    /// The user's account has ended.
    func end() async {
        await closed()
        hasEnded = true
        // Whoever ended it by a command gets the answer first.
        if !isAnswering { closeEnded() }
    }

    private func closeEnded() { outbox.close(code: 4401, reason: "The account has ended.") }

    /// Tells of a user who comes or goes. Nothing depends on it, so a store that fails is no reason to end.
    private func tell(_ session: Session, _ status: PresenceStatus?) async {
        let now = core.time.now()
        try? await core.write { transaction in
            if status != .online { try transaction.noteSeen(session.user, session.device) }
            guard let status else { return }
            try transaction.announce(
                PresenceNotice(userID: session.user, status: status, message: nil, lastSeen: now))
        }
    }

    /// The session's device was taken off its user's list: nothing more goes in or out.
    func revoke(_ device: DeviceID) async {
        guard session?.device == device else { return }
        await closed()
        outbox.close(code: 4401, reason: "The device was revoked.")
    }

    /// The session was ended elsewhere.
    func end(_ names: Set<String>) async {
        guard let session, names.contains(session.name) else { return }
        await closed()
        outbox.close(code: 4401, reason: "The session was ended.")
    }

    /// The node is being maintained: what was sent is there, and the client comes back later.
    func pause(_ error: ProtocolError) async {
        push(.failure(error, requestID: nil, at: core.time.now()))
        await closed()
        outbox.close(code: 1013, reason: error.code.name)
    }

    /// Whether the session is still open; if its time is over, the socket ends with it (AUTH-10).
    private func isCurrent(_ session: Session) async throws -> Bool {
        guard core.time.now() >= session.success.expires else { return true }
        // It may have been refreshed by a request beside this socket.
        if let expires = try await authenticator.expiry(of: session), expires > core.time.now() {
            if self.session?.name == session.name { self.session?.success.expires = expires }
            return true
        }
        await end([session.name])
        return false
    }

    /// Opens a session for a token that came with the handshake.
    func begin(token: String) async {
        await authenticate(Login(token: token))
    }

    // MARK: Login

    private func authenticate(_ login: Login) async {
        do {
            // A token was given after a login; a site whose sockets all come back has one for each.
            let isToken = if case .token = login.request { true } else { false }
            try core.gate.admit(isToken ? .requests : .login, from: source)
            if case .challengeRequest(let user) = login.request {
                pendingUser = user
                return send(await authenticator.challenge(for: user).object)
            }
            let user = pendingUser
            pendingUser = nil
            try await opened(await authenticator.open(login, for: user, from: source))
        } catch {
            let failure = error as? ProtocolError ?? ProtocolError(.internalError, "The login failed on this node.")
            send(["type": "auth_error", "error": .object(failure.fields(at: core.time.now()))])
            guard session == nil else { return }
            // What passes is no failed login.
            let passes = failure.code == .rateLimited || failure.code == .maintenanceMode
            outbox.close(code: passes ? 1013 : 4401, reason: failure.code.name)
        }
    }

    /// - Throws: `ProtocolError` 1002 if the socket has a session of another user or device: its queue is being pushed.
    private func opened(_ session: Session) async throws {
        if let present = self.session, present.user != session.user || present.device != session.device {
            throw ProtocolError(
                .insufficientPermissions, "The socket has a session of another user or device.",
                hint: "Open another socket.")
        }
        let isNew = self.session == nil
        self.session = session
        send(session.success.object)
        guard isNew else { return }
        let isFirst = await presence.joined(session.user, self)
        // Whoever ended all sessions a moment ago did not find this socket on the board.
        guard try await authenticator.expiry(of: session) != nil, self.session?.name == session.name else {
            self.session = nil
            _ = await presence.left(session.user, self)
            return outbox.close(code: 4401, reason: "The session was ended.")
        }
        if isFirst { await tell(session, .online) }
        guard let device = session.device else { return }
        try await resume(.device(session.user, device))
        guard self.session?.name == session.name else { return }
        // One signal is enough, however much was queued.
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let fresh = FreshItems()
        watch = core.notifier.watchItems(for: .device(session.user, device)) { items in
            fresh.add(items)
            signal.yield()
        }
        signal.yield()
        pump = Task { [weak self] in
            for await _ in signals {
                guard let self else { return }
                let items = fresh.take()
                await self.apart { await self.push(fresh: items) }
            }
        }
    }

    /// Takes up the stream where the client has lost it: nothing that it has comes again (docs/protocol.md §9.2).
    private func resume(_ party: Party) async throws {
        let upTo = hasUpTo
        guard upTo > 0 else { return }
        try await core.spool.write { transaction in
            try transaction.release(transaction.waitingRows(for: party, upTo: upTo))
        }
        pushedUpTo = upTo
    }

    func drained() async { await pushQueue() }

    // MARK: Commands

    private func carryOut(_ command: SocketCommand, _ session: Session) async throws -> JSONObject {
        // What only a socket has; all else is the same over every way.
        guard command.name == "received" else {
            return try await desk.carryOut(command.name, command.data, in: session)
        }
        let data = ObjectReader(command.data, what: "command")
        try await acknowledge(try data.integer("upto", in: 0...JSONValue.integerMax))
        return [:]
    }

    // MARK: Events

    private func send(_ object: JSONObject) { _ = outbox.send(object.canonicalBytes()) }

    /// Pushes an event that no spool holds. A full outbox drops it: the client is told by the missing answer.
    func push(_ event: SocketEvent) { send(event.object) }

    /// Sends what has just been queued, as it was handed on, where nothing else waits before it; else what the spool has.
    private func push(fresh: [FreshItem]) async {
        guard !fresh.isEmpty, let current = session, (try? await isCurrent(current)) == true,
            session?.device != nil, !isPushing, !isHeldUp
        else { return await pushQueue() }
        var bytes = Self.inFlightBytesMax - inFlight.reduce(0) { $0 + $1.bytes }
        for entry in fresh where entry.item.row > pushedUpTo {
            bytes -= entry.item.body.count
            guard let after = entry.after, after <= pushedUpTo, inFlight.count < Self.inFlightMax, bytes >= 0,
                push([entry.item])
            else { return await pushQueue() }
        }
    }

    /// Sends what waits for the device, oldest first, as far as the window allows.
    private func pushQueue() async {
        guard !isPushing else {
            wantsPush = true
            return
        }
        isPushing = true
        defer { isPushing = false }
        repeat {
            wantsPush = false
            guard let session, let device = session.device, (try? await isCurrent(session)) == true else { return }
            let room = Self.inFlightMax - inFlight.count
            let bytes = Self.inFlightBytesMax - inFlight.reduce(0) { $0 + $1.bytes }
            isHeldUp = true
            guard room > 0, bytes > 0 else { return }
            let (party, after, isIdle) = (Party.device(session.user, device), pushedUpTo, inFlight.isEmpty)
            guard
                let waiting = try? await core.spool.read({ transaction in
                    try transaction.waitingInOrder(
                        for: party, after: after, count: room, bytes: ByteCount(bytes), atLeastOne: isIdle)
                })
            else { return }
            // Revoked or closed meanwhile.
            guard self.session != nil else { return }
            guard push(waiting.items) else { return }
            // What has come since is told of.
            isHeldUp = !waiting.isAll
            if isHeldUp, !waiting.items.isEmpty { wantsPush = true }
        } while wantsPush
    }

    /// - Returns: false when the outbox takes no more.
    private func push(_ items: [SpoolBody]) -> Bool {
        for item in items {
            // One that cannot be shown holds up nothing; it stays in the spool until it expires.
            if let event = Self.event(of: item) {
                guard outbox.send(event) else { return false }
                inFlight.append((item.row, item.body.count))
            }
            pushedUpTo = item.row
            for update in ChannelUpdates.events(in: item) { push(update) }
        }
        return true
    }

    /// The event, as text: what is queued is canonical JSON and goes into it as it is.
    private static func event(of item: SpoolBody) -> [UInt8]? {
        if item.kind == .message {
            guard let channel = CanonicalMember.text("channel", of: item.body) else { return nil }
            return Array("{\"data\":{\"arrival\":\(item.row),\"channel\":\"\(channel)\",\"message\":".utf8) + item.body
                + Array("},\"event\":\"message\"}".utf8)
        }
        return Array("{\"data\":{\"arrival\":\(item.row),\"object\":".utf8) + item.body
            + Array("},\"event\":\"object\"}".utf8)
    }

    private func acknowledge(_ upTo: Int64) async throws {
        let rows = inFlight.map(\.row).filter { $0 <= upTo }
        guard !rows.isEmpty else { return }
        inFlight.removeAll { $0.row <= upTo }
        try await core.spool.write { try $0.release(rows) }
        if isHeldUp { await pushQueue() }
    }
}

/// What became of a message that a client sent.
private struct SentAnswer: Sendable {
    var requestID: String?
    var outcome: Result<(JSONObject, Aftermath), any Error>

    /// What follows from all of them.
    static func aftermath(of answers: [SentAnswer]) -> Aftermath {
        var all = Aftermath()
        for case .success(let (_, aftermath)) in answers.map(\.outcome) { all.add(aftermath) }
        return all
    }
}
