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
    /// Joiners of one change that are named one by one to clients that only show channels.
    static let updatesMax = 8

    private let core: NodeCore
    private let authenticator: Authenticator
    private let presence: PresenceBoard
    private let outbox: any SocketOutbox
    private var pendingUser: UserID?
    private var session: Session?
    private var watch: Int?
    private var pump: Task<Void, Never>?
    private var pushedUpTo: Int64 = 0
    private var inFlight: [(row: Int64, bytes: Int)] = []
    private var isPushing = false
    private var wantsPush = false

    init(core: NodeCore, authenticator: Authenticator, presence: PresenceBoard, outbox: any SocketOutbox) {
        self.core = core
        self.authenticator = authenticator
        self.presence = presence
        self.outbox = outbox
    }

    func isAuthenticated() -> Bool { session != nil }

    func received(_ text: [UInt8]) async {
        var requestID: String?
        do {
            let object = try JSONObject.parse(text, limits: JSONLimits(bytes: SocketLimits.messageMax))
            if let auth = try AuthRequest(object) {
                await authenticate(auth)
                return
            }
            requestID = object["request_id"]?.string.flatMap { $0.utf8.count <= SocketCommand.requestIDMax ? $0 : nil }
            let command = try SocketCommand(object)
            guard let session else {
                throw ProtocolError(
                    .invalidCredentials, "This socket has no session yet.", hint: "Send auth_challenge_request first.")
            }
            let result = try await carryOut(command, session)
            push(.ack(requestID, result))
        } catch let error as ProtocolError {
            push(.failure(error, requestID: requestID, at: core.time.now()))
        } catch {
            core.logger.error("a command failed", metadata: ["error": "\(type(of: error))"])
            push(
                .failure(
                    ProtocolError(.internalError, "The command failed on this node."), requestID: requestID,
                    at: core.time.now()))
        }
    }

    func closed() async {
        guard let session else { return }
        if let watch, let device = session.device {
            core.notifier.stop(watch, for: .device(session.user, device))
        }
        pump?.cancel()
        self.session = nil
        await presence.left(session.user, self)
    }

    /// The session's device was taken off its user's list: nothing more goes in or out.
    func revoke(_ device: DeviceID) async {
        guard session?.device == device else { return }
        await closed()
        outbox.close(code: 4401, reason: "The device was revoked.")
    }

    /// Opens a session for a token that came with the handshake.
    func begin(token: String) async {
        await authenticate(.token(token))
    }

    // MARK: Login

    private func authenticate(_ request: AuthRequest) async {
        do {
            switch request {
            case .challengeRequest(let user):
                pendingUser = user
                send(await authenticator.challenge(for: user).object)
            case .proof(let challenge, let signature, let publicKey, let device):
                guard let user = pendingUser else {
                    throw ProtocolError(.invalidCredentials, "No challenge was asked for on this socket.")
                }
                pendingUser = nil
                try await opened(
                    await authenticator.prove(
                        user: user, challenge: challenge, signature: signature, publicKey: publicKey, device: device))
            case .register(let file, let challenge, let signature, let invite, let device):
                pendingUser = nil
                try await opened(
                    await authenticator.register(
                        file: file, challenge: challenge, signature: signature, invite: invite, device: device))
            case .refresh(let token): try await opened(await authenticator.refresh(token: token))
            case .token(let token): try await opened(await authenticator.resume(token: token))
            }
        } catch {
            let failure = error as? ProtocolError ?? ProtocolError(.internalError, "The login failed on this node.")
            send(["type": "auth_error", "error": .object(failure.fields(at: core.time.now()))])
            if session == nil { outbox.close(code: 4401, reason: failure.code.name) }
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
        await presence.joined(session.user, self)
        guard let device = session.device else { return }
        // One signal is enough, however much was queued.
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        watch = core.notifier.watch(.device(session.user, device)) { signal.yield() }
        signal.yield()
        pump = Task { [weak self] in
            for await _ in signals { await self?.pushQueue() }
        }
    }

    // MARK: Commands

    private func carryOut(_ command: SocketCommand, _ session: Session) async throws -> JSONObject {
        let data = ObjectReader(command.data, what: "command")
        switch command.name {
        case "publish_keys": return try await publishKeys(data, session)
        case "send_message": return try await sendMessage(data, session)
        case "create_channel", "join_channel": return try await channelCommand(command.name, data, session)
        case "lookup_user": return try await submit(lookup(data, session), session)
        case "submit": return try await submit(ProtocolObject(data.value("object")), session)
        case "update_status":
            guard let status = PresenceStatus(rawValue: try data.string("status")) else {
                throw ProtocolError.malformed("A status is online, away or offline.", member: "status")
            }
            let message = try data.optionalString("message")
            await presence.update(session.user, status, message: message, at: core.time.now())
            return [:]
        case "received":
            let upTo = try data.integer("upto", in: 0...JSONValue.integerMax)
            try await acknowledge(upTo)
            return [:]
        default:
            throw ProtocolError.malformed(
                "The command is unknown.", member: "command", hint: "See the protocol document, section 9.")
        }
    }

    private func device(_ session: Session) throws -> Party {
        guard let device = session.device else {
            throw ProtocolError(
                .insufficientPermissions, "The session is for no device.", hint: "Log in with the member device.")
        }
        return .device(session.user, device)
    }

    private func publishKeys(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let party = try device(session)
        let list = try DeviceList(data.value("device_list"))
        let preKey = try SignedPreKey(data.value("signed_pre_key"))
        let oneTime = try NodeTransaction.oneTimeKeys(data)
        guard list.userID == session.user, case .device(_, let device) = party else {
            throw ProtocolError(.insufficientPermissions, "The device list is another user's.")
        }
        let taken = try await core.write { transaction in
            guard let user = try transaction.user(session.user) else {
                throw ProtocolError(.userNotFound, "The user is not registered.")
            }
            try transaction.introduce(session.user, publicKey: user.publicKey, list: list)
            return try transaction.publish(preKey, oneTime: oneTime, of: session.user, device)
        }
        guard taken > 0 || oneTime.isEmpty else { throw ProtocolError.oneTimeKeysFull(taken: 0) }
        return ["one_time_pre_keys": .integer(Int64(taken))]
    }

    private func sendMessage(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let party = try device(session)
        guard data.object["message"] != nil else {
            throw ProtocolError(
                .invalidMessageFormat, "send_message takes a sealed message.",
                hint: "Encrypt and sign on the device and send it as data.message; this node never sees clear text.",
                details: ["member": "message"])
        }
        let message = try Message(data.value("message"))
        let isNew = try await core.write { transaction in
            do {
                return try transaction.accept(message, from: party, arrival: .live)
            } catch is AuthorUnknown {
                throw ProtocolError(
                    .userNotFound, "The device is not listed here.", hint: "Send publish_keys first.")
            }
        }
        return [
            "message_id": .string(message.id.text), "timestamp": .string(message.timestamp.description),
            "repeated": .bool(!isNew),
        ]
    }

    private func channelCommand(
        _ name: String, _ data: ObjectReader, _ session: Session
    ) async throws -> JSONObject {
        let object = try data.value("command")
        guard case .command(let command) = try ProtocolObject(object), command.name == name else {
            throw ProtocolError.malformed("data.command is the signed \(name) object.", member: "command")
        }
        return try await submit(.command(command), session)
    }

    private func lookup(_ data: ObjectReader, _ session: Session) throws -> ProtocolObject {
        .lookup(
            UserLookup(
                userID: try data.userID("user_id"), requestingNode: core.context.id,
                requester: try device(session), at: core.time.now()))
    }

    private func submit(_ object: ProtocolObject, _ session: Session) async throws -> JSONObject {
        let party = try device(session)
        try await core.write { transaction in
            do {
                try transaction.dispatch(object, from: party)
            } catch let unknown as MembershipUnknown {
                let item = BatchItem(
                    kind: .object, body: object.object.canonicalBytes(), created: transaction.now, priority: .control)
                try transaction.postpone(item, from: party, until: unknown)
            } catch is AuthorUnknown {
                throw ProtocolError(
                    .userNotFound, "The device is not listed here.", hint: "Send publish_keys first.")
            }
        }
        return [:]
    }

    // MARK: Events

    private func send(_ object: JSONObject) { _ = outbox.send(object.canonicalBytes()) }

    /// Pushes an event that no spool holds. A full outbox drops it: the client is told by the missing answer.
    func push(_ event: SocketEvent) { send(event.object) }

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
            guard let session, let device = session.device else { return }
            let room = Self.inFlightMax - inFlight.count
            let bytes = Self.inFlightBytesMax - inFlight.reduce(0) { $0 + $1.bytes }
            guard room > 0, bytes > 0 else { return }
            let (party, after) = (Party.device(session.user, device), pushedUpTo)
            guard
                let items = try? await core.spool.read({ transaction in
                    try transaction.waitingInOrder(for: party, after: after, count: room, bytes: ByteCount(bytes))
                })
            else { return }
            // Revoked or closed meanwhile.
            guard self.session != nil else { return }
            guard push(items) else { return }
            if !items.isEmpty { wantsPush = true }
        } while wantsPush
    }

    /// - Returns: false when the outbox takes no more.
    private func push(_ items: [SpoolItem]) -> Bool {
        for item in items {
            // One that cannot be shown holds up nothing; it stays in the spool until it expires.
            if let event = Self.event(of: item) {
                guard outbox.send(event.object.canonicalBytes()) else { return false }
                inFlight.append((item.row, item.body.count))
            }
            pushedUpTo = item.row
            for update in Self.updates(in: item) { push(update) }
        }
        return true
    }

    private static func event(of item: SpoolItem) -> SocketEvent? {
        guard let object = try? JSONObject.parse(item.body, limits: JSONLimits(bytes: ProtocolObject.bytesMax)) else {
            return nil
        }
        guard item.kind == .message else {
            return SocketEvent("object", ["object": .object(object), "arrival": .integer(item.row)])
        }
        return SocketEvent(
            "message",
            ["message": .object(object), "channel": object["channel"] ?? .null, "arrival": .integer(item.row)])
    }

    /// What a membership object means to a client that only shows channels (WS-08). The object itself is what counts and
    /// is pushed until it is acknowledged; these are not.
    private static func updates(in item: SpoolItem) -> [SocketEvent] {
        guard item.kind == .object, case .membership(let membership)? = try? ProtocolObject(parsing: item.body) else {
            return []
        }
        func update(_ details: JSONObject) -> SocketEvent {
            SocketEvent(
                "channel_update",
                [
                    "channel": .string(membership.channel.name.text),
                    "channel_node": .string(membership.channel.node.text), "action": "member_joined",
                    "details": .object(details.setting("version", .integer(membership.version))),
                ])
        }
        // Many at once are told as one, lest they fill the socket: the membership names them all.
        let joined = membership.joined
        guard joined.count <= updatesMax else { return [update(["count": .integer(Int64(joined.count))])] }
        return joined.map { update(["user_id": .string($0.userID.text)]) }
    }

    private func acknowledge(_ upTo: Int64) async throws {
        let rows = inFlight.map(\.row).filter { $0 <= upTo }
        inFlight.removeAll { $0.row <= upTo }
        try await core.spool.write { try $0.release(rows) }
        await pushQueue()
    }
}
