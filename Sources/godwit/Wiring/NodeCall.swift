import GodwitCarrier
import GodwitClient
import GodwitCrypto
import GodwitProtocol

/// One conversation with the home node over a WebSocket that is opened for it.
enum NodeCall {
    /// For the whole conversation.
    private static let patience = Duration.seconds(60)
    /// Pages of one answer.
    private static let pagesMax = 100

    static let endedEarly = ProtocolError(
        .nodeUnreachable, "The node ended the conversation early.", hint: "Try again.")

    /// Opens a socket for one conversation, and closes it.
    /// - Throws: `ProtocolError` 3000 when the node cannot be reached or does not answer; what `talk` throws.
    static func withSocket<Value: Sendable>(
        _ files: ClientFiles, _ talk: @escaping @Sendable (WebSocketClient) async throws -> Value
    ) async throws -> Value {
        let endpoint = try Endpoint(ClientFiles.socketURL(try files.endpoint()))
        let pins = try files.node().pins.map { digest in try CertificatePin(digest: digest) }
        let socket = try await WebSocketClient.connect(to: endpoint, pins: pins)
        do {
            let value = try await withThrowingTaskGroup(of: Value.self) { group in
                group.addTask { try await talk(socket) }
                group.addTask {
                    try await Task.sleep(for: patience)
                    // Ends the other task too, which waits for the next message.
                    await socket.close()
                    throw ProtocolError(
                        .nodeUnreachable, "The node did not answer within a minute.", hint: "Try again.")
                }
                defer { group.cancelAll() }
                guard let value = try await group.next() else { throw endedEarly }
                return value
            }
            await socket.close()
            return value
        } catch {
            await socket.close()
            throw error
        }
    }

    /// Logs in and gives a command in the user's own name; what has pages is asked to its end.
    ///
    /// - Returns: data of each `ack`.
    /// - Throws: `ProtocolError` that the node answered, 3000 when it cannot be reached.
    @discardableResult
    static func ask(
        _ command: String, _ data: JSONObject, _ files: ClientFiles, device: DeviceID, identityKey: SigningKey
    ) async throws -> [JSONObject] {
        let login = LoginConversation(
            identity: try files.identity(), key: identityKey, device: device, purpose: .login, publication: nil)
        return try await withSocket(files) { try await talk(login, command, data, over: $0) }
    }

    /// The entries of all pages of a list that the home node keeps and no device does.
    static func list(
        _ member: String, by command: String, _ data: JSONObject, _ files: ClientFiles, identityKey: SigningKey
    ) async throws -> [JSONObject] {
        let device = try await files.withDevice { $0.deviceID }
        return try await ask(command, data, files, device: device, identityKey: identityKey)
            .flatMap { ($0[member]?.array ?? []).compactMap(\.object) }
    }

    private static func talk(
        _ start: LoginConversation, _ command: String, _ data: JSONObject, over socket: WebSocketClient
    ) async throws -> [JSONObject] {
        func send(_ data: JSONObject) async throws {
            try await socket.send(SocketCommand(command, data, requestID: command).object.canonicalText)
        }
        var (login, question, isIn) = (start, data, false)
        var pages: [JSONObject] = []
        try await socket.send(login.start().canonicalText)
        for try await text in socket.messages {
            let frame = try JSONObject.parse(Array(text.utf8))
            guard isIn else {
                switch try login.receive(frame) {
                case .send(let next): try await socket.send(next.canonicalText)
                case .wait: continue
                case .done:
                    isIn = true
                    try await send(question)
                }
                continue
            }
            let event = try SocketEvent(frame)
            // What waits for the device stays with the node: nothing is acknowledged here.
            guard event.data["request_id"]?.string == command else { continue }
            guard event.name == "ack" else {
                throw ProtocolError(object: event.data)
                    ?? ProtocolError(.internalError, "The node refused without saying why.", hint: "Try again later.")
            }
            pages.append(event.data)
            guard let next = event.data["next"]?.string, pages.count < pagesMax else { return pages }
            question["after"] = .string(next)
            try await send(question)
        }
        throw endedEarly
    }
}
