import Glibc
import GodwitCarrier
import GodwitProtocol
import Synchronization

/// One person's socket to a node: requests with their answers, and what is pushed.
final class LoadClient: Sendable {
    private struct State {
        var person: LoadPerson
        var counter: Int64 = 0
        var requests: Int64 = 0
        var waiting: [String: CheckedContinuation<JSONObject, any Error>] = [:]
        /// Answers to what nobody waits for by itself.
        var taken = 0
    }

    let id: UserID
    private let socket: WebSocketClient
    private let state: Mutex<State>
    /// Arrival number of whatever is pushed, and the id of a message; empty for another object.
    private let onMessage: @Sendable (_ id: String, _ arrival: Int64) -> Void

    private init(
        _ socket: WebSocketClient, _ person: LoadPerson,
        onMessage: @escaping @Sendable (_ id: String, _ arrival: Int64) -> Void
    ) {
        self.socket = socket
        self.onMessage = onMessage
        id = person.id
        state = Mutex(State(person: person))
    }

    /// Connects, registers the person and, with `publishes`, its device's keys.
    static func open(
        _ person: LoadPerson, at endpoint: Endpoint, publishes: Bool = true,
        onMessage: @escaping @Sendable (_ id: String, _ arrival: Int64) -> Void = { _, _ in }
    ) async throws -> LoadClient {
        let socket = try await WebSocketClient.connect(to: endpoint, pins: [])
        let client = LoadClient(socket, person, onMessage: onMessage)
        try await client.register()
        if publishes { try await client.publish() }
        return client
    }

    func close() async { await socket.close() }

    private func register() async throws {
        let person = state.withLock { $0.person }
        var messages = socket.messages.makeAsyncIterator()
        try await socket.send(person.challengeRequest.canonicalText)
        let challenge = try AuthChallenge(try Self.frame(await messages.next()))
        try await socket.send(person.registration(challenge).canonicalText)
        let answer = try Self.frame(await messages.next())
        if let error = ProtocolError(object: answer) { throw error }
        _ = try AuthSuccess(answer)
    }

    private func publish() async throws {
        let keys = state.withLock { $0.person.keys(at: .present) }
        try await socket.send(SocketCommand("publish_keys", keys, requestID: "keys").object.canonicalText)
        var messages = socket.messages.makeAsyncIterator()
        let event = try SocketEvent(Self.frame(await messages.next()))
        guard event.name == "ack" else { throw ProtocolError(object: event.data) ?? Self.unexpected }
    }

    /// Reads until the socket ends; whoever waits for an answer gets it.
    func read() async throws {
        for try await text in socket.messages {
            let event = try SocketEvent(JSONObject.parse(Array(text.utf8), limits: JSONLimits(bytes: 131_072)))
            switch event.name {
            case "message", "object":
                guard let arrival = event.data["arrival"]?.integer else { throw Self.unexpected }
                onMessage(event.data["message"]?.object?["id"]?.string ?? "", arrival)
            case "ack", "error": answered(event)
            default: break
            }
        }
    }

    private func answered(_ event: SocketEvent) {
        guard let id = event.data["request_id"]?.string else {
            if event.name == "ack" { state.withLock { $0.taken += 1 } }
            return
        }
        let waiting = state.withLock { $0.waiting.removeValue(forKey: id) }
        if event.name == "ack" {
            waiting?.resume(returning: event.data)
        } else {
            waiting?.resume(throwing: ProtocolError(object: event.data) ?? Self.unexpected)
        }
    }

    /// Sends one command and waits for its answer.
    @discardableResult
    func ask(_ name: String, _ data: JSONObject) async throws -> JSONObject {
        let id = state.withLock { state in
            state.requests += 1
            return "r\(state.requests)"
        }
        let text = SocketCommand(name, data, requestID: id).object.canonicalText
        return try await withCheckedThrowingContinuation { continuation in
            state.withLock { $0.waiting[id] = continuation }
            Task.immediate { [self] in
                do { try await socket.send(text) } catch {
                    state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: error)
                }
            }
        }
    }

    /// Says that everything up to an arrival number is here; nobody waits for the answer.
    func received(upTo arrival: Int64) async throws {
        try await socket.send(SocketCommand("received", ["upto": .integer(arrival)]).object.canonicalText)
    }

    /// The next message to a reader, ready to be sent: its id and the frame.
    func nextMessage(to reader: UserID) -> (id: String, text: String) {
        state.withLock { state in
            let message = state.person.message(to: reader, at: .present)
            return (
                message["id"]?.string ?? "",
                SocketCommand("send_message", ["message": .object(message)]).object.canonicalText
            )
        }
    }

    func send(_ text: String) async throws { try await socket.send(text) }

    /// Messages that were sent without a request's name and have been answered.
    var taken: Int { state.withLock { $0.taken } }

    /// The next message to a reader: data of `send_message`.
    func message(to reader: UserID) -> JSONObject {
        state.withLock { ["message": .object($0.person.message(to: reader, at: .present))] }
    }

    /// The next message to a channel: data of `send_message`.
    func message(in channel: String) -> JSONObject {
        state.withLock { ["message": .object($0.person.message(in: channel, at: .present))] }
    }

    func channelCommand(_ name: String, _ channel: String) -> JSONObject {
        state.withLock { state in
            state.counter += 1
            return [
                "channel": .string(channel),
                "command": .object(state.person.channelCommand(name, channel, counter: state.counter, at: .present)),
            ]
        }
    }

    private static func frame(_ text: String?) throws -> JSONObject {
        guard let text else { throw ProtocolError(.nodeUnreachable, "The node closed the socket.") }
        return try JSONObject.parse(Array(text.utf8), limits: JSONLimits(bytes: 131_072))
    }

    private static var unexpected: ProtocolError { .malformed("The node sent what was not expected.") }
}

extension Timestamp {
    static var present: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
