import GodwitBatch
import GodwitNode
import GodwitProtocol
import NIOCore
import NIOWebSocket
import Synchronization

/// One live link at its answering end: the machine's decisions, the exchange that runs, and what goes out.
final class LiveLink: Sendable {
    /// Small records at the beginning of an answer go together: about a packet.
    static let togetherMax = 1_200

    /// One exchange, handed from the reader to whoever answers.
    struct Running: Sendable {
        let session: any ExchangeSession
        /// One element when a record was accepted, several as one; ends with the request.
        let accepted: AsyncStream<Void>
    }

    private struct State {
        var machine: LiveMachine
        var acceptance: AsyncStream<Void>.Continuation?
        var session: (any ExchangeSession)?
        var watch: (key: Int, party: Party)?
        /// The request has ended, not only its stream.
        var isWhole = false
    }

    private let channel: any Channel
    private let shell: SocketShell
    private let service: LiveService
    private let state: Mutex<State>
    private let opening: AsyncStream<Running>.Continuation
    let exchanges: AsyncStream<Running>

    init(channel: any Channel, shell: SocketShell, service: LiveService) {
        self.channel = channel
        self.shell = shell
        self.service = service
        state = Mutex(State(machine: LiveMachine(bodyMax: service.bodyMax)))
        // The next exchange cannot begin before the one before it was answered.
        (exchanges, opening) = AsyncStream.makeStream(of: Running.self, bufferingPolicy: .bufferingOldest(1))
    }

    var isKnown: Bool { state.withLock { $0.machine.isKnown } }

    // MARK: In

    /// Takes one message; returns when what it held is durable.
    func receive(_ message: [UInt8]) async {
        switch state.withLock({ $0.machine.receive(message) }) {
        case .record(let record, let isFirst): await take(record, isFirst: isFirst)
        case .requestEnded:
            state.withLock { state in
                state.isWhole = true
                state.acceptance?.finish()
            }
        case .refuse(let error): fail(error)
        }
    }

    private func take(_ record: [UInt8], isFirst: Bool) async {
        if isFirst {
            let session = await service.exchange.openExchange()
            let (accepted, acceptance) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            state.withLock { state in
                (state.session, state.acceptance, state.isWhole) = (session, acceptance, false)
            }
            opening.yield(Running(session: session, accepted: accepted))
        }
        guard let session = state.withLock({ $0.session }) else { return }
        do { try await session.receive(record) } catch { return fail(service.told(error)) }
        let isNew = state.withLock { state in
            defer { state.machine.accepted() }
            state.acceptance?.yield()
            return !state.machine.isKnown
        }
        guard isNew else { return }
        service.places.accept()
        if let queues = service.queues, let party = await session.party {
            let key = queues.watch(party) { [weak self] in self?.noticed() }
            state.withLock { $0.watch = (key, party) }
        }
    }

    /// Says why, then closes.
    private func fail(_ error: ProtocolError, code: UInt16 = 4400) {
        state.withLock { state in
            state.machine.failed()
            state.acceptance?.finish()
        }
        let object = Answer.error(error).body
        channel.writeAndFlush(
            WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: object)), promise: nil)
        shell.close(code: code, reason: "The exchange was refused.")
    }

    /// There is no place for the link.
    func refuse() { fail(LiveService.full, code: 1013) }

    /// The connection is gone. May be called more than once.
    func end() {
        let watch = state.withLock { state in
            state.acceptance?.finish()
            defer { state.watch = nil }
            return state.watch
        }
        opening.finish()
        if let watch { service.queues?.stop(watch.key, for: watch.party) }
    }

    // MARK: Out

    /// Answers one exchange, each record when those before it were handed to the system.
    func answer(_ running: Running) async {
        var held: [[UInt8]] = []
        do {
            for await _ in running.accepted {
                while let record = try await running.session.nextEarly() { try await add(record, to: &held) }
                try await flush(&held)
            }
            guard state.withLock({ $0.isWhole }), !Task.isCancelled else { return }
            while let record = try await running.session.next() { try await add(record, to: &held) }
            held.append([])
            // Before it is written: the caller's next exchange may be here before the write is known to be over.
            state.withLock { $0.machine.ends() }
            try await flush(&held)
            await answered(running.session)
        } catch is Gone {
            // What it has acknowledged counts; the rest goes with its next exchange.
        } catch is CancellationError {
            // The connection has ended.
        } catch {
            // What was answered before it counts.
            try? await flush(&held)
            fail(service.told(error))
        }
    }

    private func add(_ record: [UInt8], to held: inout [[UInt8]]) async throws {
        guard (1...Exchange.recordMax).contains(record.count) else {
            throw ProtocolError(.internalError, "A record of the answer has a size that none may have.")
        }
        held.append(record)
        if held.reduce(0, { $0 + $1.count }) >= Self.togetherMax { try await flush(&held) }
    }

    private func flush(_ held: inout [[UInt8]]) async throws {
        guard let last = held.popLast() else { return }
        for record in held { channel.write(Self.frame(record), promise: nil) }
        held = []
        do { try await channel.writeAndFlush(Self.frame(last)) } catch { throw Gone() }
    }

    /// The caller is gone.
    private struct Gone: Error {}

    private func answered(_ session: any ExchangeSession) async {
        var waits = false
        if let queues = service.queues, let party = await session.party { waits = await queues.hasWaiting(for: party) }
        if state.withLock({ $0.machine.answered(somethingWaits: waits) }) { announce() }
    }

    private func noticed() {
        if state.withLock({ $0.machine.noticed() }) { announce() }
    }

    /// "Something waits here."
    private func announce() { channel.writeAndFlush(Self.frame([1]), promise: nil) }

    private static func frame(_ message: [UInt8]) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: message))
    }
}
