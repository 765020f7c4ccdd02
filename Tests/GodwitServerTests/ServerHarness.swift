import GodwitBatch
import GodwitNode
import GodwitProtocol
import Logging
import ServiceLifecycle
import Synchronization

@testable import GodwitServer

/// A running `NodeServer` on a free port of this machine, with services that the test scripts.
struct ServerHarness: Sendable {
    let port: Int
    let exchange: ScriptedExchange
    let sockets: EchoSockets
    let information: ScriptedInformation
    let commands: ScriptedCommands
    /// Begins the graceful shutdown.
    let shutDown: @Sendable () async -> Void

    static func run<Result: Sendable>(
        tls: TestCertificate? = nil, exchange: ScriptedExchange = ScriptedExchange(),
        service: (any ExchangeService)? = nil, queues: (any QueueWatch)? = nil,
        metrics: (any MetricsSource)? = nil,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (ServerHarness) async throws -> Result
    ) async throws -> Result {
        let credentials = tls.map {
            ServerConfiguration.TLS(certificateChain: $0.certificatePEM, privateKey: $0.keyPEM)
        }
        var configuration = ServerConfiguration(host: "127.0.0.1", port: 0, tls: credentials)
        configure(&configuration)
        let sockets = EchoSockets()
        let information = ScriptedInformation()
        let commands = ScriptedCommands()
        let bound = Later<Int>()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = try NodeServer(
            configuration: configuration, exchange: service ?? exchange, sockets: sockets, information: information,
            commands: commands, queues: queues, metrics: metrics, logger: logger, onBound: { bound.set($0) })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [server], logger: logger))
        return try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                let harness = ServerHarness(
                    port: await bound.get(), exchange: exchange, sockets: sockets, information: information,
                    commands: commands, shutDown: { await group.triggerGracefulShutdown() })
                let result = try await body(harness)
                await group.triggerGracefulShutdown()
                return result
            }
            var result: Result?
            do {
                while let next = try await tasks.next() { result = next ?? result }
            } catch {
                exchange.release.open()
                tasks.cancelAll()
                throw error
            }
            guard let result else { throw CancellationError() }
            return result
        }
    }
}

/// Answers every exchange with the records, and fails where the script says.
final class ScriptedExchange: ExchangeService {
    struct Script: Sendable {
        var answer: [[UInt8]] = []
        /// Thrown by `receive` for a record that begins with 0xEE.
        var refusal = ProtocolError(.invalidCredentials, "No key fits.")
        /// Thrown after so many records of the answer.
        var failsAfter: Int?
        /// `next` waits for `release` before this record.
        var holdsBefore: Int?
    }

    let script: Script
    let received = Notes<[UInt8]>()
    let release = Gate()

    init(_ script: Script = Script()) { self.script = script }

    func openExchange() async -> any ExchangeSession { Session(service: self) }

    private final class Session: ExchangeSession {
        let service: ScriptedExchange
        let position = Mutex(0)
        init(service: ScriptedExchange) { self.service = service }

        func receive(_ record: [UInt8]) async throws {
            if record.first == 0xEE { throw service.script.refusal }
            service.received.add(record)
        }

        func next() async throws -> [UInt8]? {
            let index = position.withLock { position in
                defer { position += 1 }
                return position
            }
            if service.script.holdsBefore == index { await service.release.wait() }
            if service.script.failsAfter == index { throw ProtocolError(.internalError, "Broken.") }
            return index < service.script.answer.count ? service.script.answer[index] : nil
        }
    }
}

/// Sends every message back; `auth` opens a session; `flood N` fills the outbox.
final class EchoSockets: SocketService {
    let received = Notes<[UInt8]>()
    let requests = Notes<SocketRequest>()
    let sendResults = Notes<Bool>()
    let closed = Notes<Void>()
    let drained = Notes<Void>()

    func open(_ request: SocketRequest, outbox: any SocketOutbox) async -> any SocketSession {
        requests.add(request)
        return Session(service: self, outbox: outbox, hasToken: request.token != nil)
    }

    private final class Session: SocketSession {
        let service: EchoSockets
        let outbox: any SocketOutbox
        let authenticated: Mutex<Bool>
        init(service: EchoSockets, outbox: any SocketOutbox, hasToken: Bool) {
            self.service = service
            self.outbox = outbox
            authenticated = Mutex(hasToken)
        }

        func received(_ text: [UInt8]) async {
            service.received.add(text)
            switch String(decoding: text, as: UTF8.self) {
            case "auth": authenticated.withLock { $0 = true }
            case "bye": outbox.close(code: 4000, reason: "As asked.")
            default: break
            }
            service.sendResults.add(outbox.send(text))
        }
        func closed() async { service.closed.add(()) }
        func drained() async { service.drained.add(()) }
        func isAuthenticated() async -> Bool { authenticated.withLock { $0 } }
    }
}

final class ScriptedInformation: NodeInformation {
    static let descriptor = Array(#"{"node_id":"a7f3k9m2"}"#.utf8)
    private let ready = Mutex(true)
    func setReady(_ value: Bool) { ready.withLock { $0 = value } }
    func descriptor() async -> [UInt8] { Self.descriptor }
    func isReady() async -> Bool { ready.withLock { $0 } }
}

/// What happened, in order; a test can wait for the n-th.
final class Notes<Value: Sendable>: Sendable {
    private let state = Mutex<(values: [Value], waiting: [(Int, CheckedContinuation<Void, Never>)])>(([], []))

    var all: [Value] { state.withLock { $0.values } }

    func add(_ value: Value) {
        let woken = state.withLock { state in
            state.values.append(value)
            let count = state.values.count
            defer { state.waiting.removeAll { $0.0 <= count } }
            return state.waiting.filter { $0.0 <= count }
        }
        for (_, continuation) in woken { continuation.resume() }
    }

    func wait(count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.values.count < count { state.waiting.append((count, continuation)) }
                return state.values.count >= count
            }
            if isThere { continuation.resume() }
        }
    }
}

/// A value that comes later, once.
final class Later<Value: Sendable>: Sendable {
    private let notes = Notes<Value>()
    func set(_ value: Value) { notes.add(value) }
    func get() async -> Value {
        await notes.wait(count: 1)
        return notes.all[0]
    }
}

/// Opens once; whoever waits before then is woken.
final class Gate: Sendable {
    private let notes = Notes<Void>()
    func open() { notes.add(()) }
    func wait() async { await notes.wait(count: 1) }
}
