public import GodwitBatch
public import GodwitContact
import GodwitCrypto
public import GodwitLink
public import GodwitProtocol
import GodwitSpool
public import Logging
import Synchronization

/// A home node: accounts, channels, journal, queues, and the links to its peers.
public final class HomeNode: Sendable {
    /// Makes the carrier to a peer, over its link `Peer.over`.
    public typealias CarrierFactory = @Sendable (Peer, Profile) throws -> any Carrier
    /// Is told the serial line to each peer, whoever calls over it, before its carrier is made; nil: none.
    public typealias LineSetter = @Sendable (SerialEndpoint?, NodeID) -> Void

    let core: NodeCore
    let home: NodeHome
    private let current: Mutex<NodeConfiguration>
    var configuration: NodeConfiguration { current.withLock { $0 } }
    let authenticator: Authenticator
    let presence: PresenceBoard
    let links: LinkBoard
    let probes = ProbeGate()

    /// The answering end of `/batch/v1/exchange`.
    public let exchange: any ExchangeService
    /// Takes what broadcasts bring.
    public var broadcasts: any BroadcastService { broadcastIntake }
    let broadcastIntake: BroadcastIntake

    /// Opens the node's store and readies everything that answers; links start with `run`.
    ///
    /// - Parameters:
    ///   - carrier: nil for a node that calls nobody (tools that only look).
    ///   - lines: nil for a node without serial lines.
    public init(
        home: NodeHome, spoolDirectory: String, configuration: NodeConfiguration, time: any TimeSource = SystemTime(),
        logger: Logger, carrier: CarrierFactory?, lines: LineSetter? = nil
    ) async throws {
        var spoolConfiguration = configuration.spool
        spoolConfiguration.wallClock = { time.now() }
        let context = NodeContext(
            id: home.id, signingKey: home.signingKey, retention: configuration.retention,
            forwardsMoved: configuration.forwardsMoved)
        let spool = try SQLiteSpool(directory: spoolDirectory, configuration: spoolConfiguration) { migrator in
            NodeSchema.register(in: &migrator, for: context)
        }
        let directory = NodeDirectory(spool: spool, own: home.noiseKey.publicKey)
        let presence = PresenceBoard()
        let handler = AftermathHandler(notifier: QueueNotifier(), cache: directory.cache, presence: presence)
        let gate = Gatekeeper(configuration.limits, time: time)
        gate.isMaintained = NodeFiles.exists(home.maintenancePath)
        let core = NodeCore(
            spool: spool, context: context, time: time, aftermath: handler, logger: logger, gate: gate)
        let identity = ContactIdentity(party: .node(home.id), noiseKey: home.noiseKey)
        let receiver = NodeReceiver(context: context, time: time, handler: handler, gate: gate, logger: logger)
        let intake = FrameIntake(spool: spool, receiver: receiver, identity: identity, directory: directory)
        let links = LinkBoard(
            core: core, identity: identity, intake: intake, configuration: configuration, carrier: carrier,
            lines: lines)
        // Weakly: the handler is a part of what answers.
        handler.custody.set { [weak links] question in
            guard let links else { return }
            await links.answer(question, presence)
        }
        exchange = GuardedExchange(
            inner: ContactAnswerer(intake: intake) { await links.outlet(for: $0) }, gate: gate)
        broadcastIntake = BroadcastIntake(links: links, directory: directory, own: home.noiseKey.publicKey)
        let tokens = try await SessionTokens(node: home.id, signingKey: home.signingKey)
        authenticator = Authenticator(
            core: core, tokens: tokens, registration: configuration.registration, nodeInfo: Self.info(home, tokens))
        self.core = core
        self.presence = presence
        self.home = home
        current = Mutex(configuration)
        self.links = links
    }

    private static func info(_ home: NodeHome, _ tokens: SessionTokens) -> JSONObject {
        [
            "id": .string(home.id.text), "name": .string(home.descriptor.name), "version": "1.0.0",
            "features": ["federation", "batch"], "session_key": .string(tokens.publicKey),
        ]
    }

    /// Goes on with other limits, profiles and rules of registration; sockets, links that keep their profile and what is
    /// under way are not touched.
    public func reload(_ next: NodeConfiguration) async throws {
        let before = current.withLock { configuration in
            defer { configuration = next }
            return configuration
        }
        if before.limits != next.limits { core.gate.set(next.limits) }
        await authenticator.set(next.registration)
        try await links.use(next)
        try await core.write { try $0.audit(.reloaded, subject: nil) }
    }

    /// Runs links and housekeeping until the task is cancelled.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.links.run() }
            group.addTask { try await self.expireForever() }
            try await group.waitForAll()
        }
    }

    /// Seconds between looks for what has expired.
    private static let housekeeping = Duration.seconds(30)

    private func expireForever() async throws {
        var last = core.time.uptime()
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.housekeeping) } catch { return }
            let now = core.time.uptime()
            do {
                try await keepHouse(elapsed: (now - last).milliseconds)
                last = now
            } catch {
                // A full disk ends no node: the time is kept and counted at the next look.
                core.logger.error("ageing failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }

    /// Ages everything in custody; what has reached its lifetime is reported to its author.
    func expire(elapsed: Int64) async throws {
        var left = elapsed
        while try await expireSome(elapsed: left) == SpoolConfiguration.expiredPerCall { left = 0 }
        await keepHouse()
        guard core.aftermath.erased.take() else { return }
        do { try await core.spool.truncateLog() } catch {
            // Somebody reads: at the next look.
            core.aftermath.erased.set()
        }
    }

    /// - Returns: how many items have expired.
    private func expireSome(elapsed: Int64) async throws -> Int {
        try await core.write { transaction in
            let expired = try transaction.spool.expire(elapsed: elapsed)
            try transaction.reportExpired(expired)
            for item in expired { try transaction.followUp(lost: item) }
            try transaction.tellMissed(expired)
            let held = try transaction.expireHeld()
            let judged = try transaction.expireModerated()
            let forgotten = try transaction.forgetJournal()
            try transaction.forgetTakenBack()
            return max(expired.count, held, judged, forgotten)
        }
    }

    /// What is due besides, each in a transaction of its own: a queue that takes no more must not hold up ageing.
    private func keepHouse() async {
        let gate = core.gate
        let works: [@Sendable (NodeTransaction) throws -> Void] = [
            { _ = try $0.expireAccounts() }, { try $0.repeatQuestions() }, { try $0.endSanctions() },
            { try $0.restartEpochs() }, { try $0.forgetStruck() },
            { transaction in
                transaction.gate = gate
                try transaction.takeUpTurns()
            },
        ]
        for work in works {
            do { try await core.write(work) } catch {
                core.logger.error("housekeeping failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }
}

extension HomeNode: SocketService {
    public func open(_ request: SocketRequest, outbox: any SocketOutbox) async -> any SocketSession {
        let socket = ClientSocket(
            core: core, authenticator: authenticator, presence: presence, outbox: outbox,
            source: request.source)
        // A page that a browser has loaded from elsewhere gets no socket (RFC 6455 §10.2).
        if let origin = request.origin, configuration.origins.isDisjoint(with: [origin, "*"]) {
            outbox.close(code: 1008, reason: "The origin is not allowed here.")
            return socket
        }
        if let token = request.token { await socket.begin(token: token) }
        return socket
    }
}

extension HomeNode: QueueWatch {
    public func watch(_ party: Party, notice: @escaping @Sendable () -> Void) -> Int {
        core.notifier.watch(party, wake: notice)
    }

    public func stop(_ watch: Int, for party: Party) { core.notifier.stop(watch, for: party) }

    public func hasWaiting(for party: Party) async -> Bool {
        let queues = try? await core.spool.read { try $0.queues(for: party) }
        return queues?.values.contains { $0.count > 0 } ?? false
    }
}

extension HomeNode: NodeInformation {
    public func descriptor() async -> [UInt8] { home.descriptor.object.canonicalBytes() }
    public func isReady() async -> Bool { !core.gate.isMaintained }
}

extension HomeNode: CommandService {
    public func session(for token: String) async throws -> Session { try await authenticator.resume(token: token) }

    public func carryOut(_ command: String, _ data: JSONObject, in session: Session) async throws -> JSONObject {
        try await CommandDesk(core: core, presence: presence).carryOut(command, data, in: session)
    }
}
