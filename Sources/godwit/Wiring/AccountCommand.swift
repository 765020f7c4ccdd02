import GodwitCarrier
import GodwitClient
import GodwitCrypto
import GodwitProtocol

/// One command to the home node in the user's own name: logs in over WebSocket, says it, and waits for its answer.
enum AccountCommand {
    private static let requestID = "account"
    /// For the whole conversation.
    private static let patience = Duration.seconds(60)

    /// - Throws: `ProtocolError` that the node answered, 3000 when it cannot be reached.
    static func run(
        _ name: String, _ data: JSONObject, _ files: ClientFiles, device: DeviceID, identityKey: SigningKey
    ) async throws {
        let endpoint = try Endpoint(ClientFiles.socketURL(try files.endpoint()))
        let pins = try files.node().pins.map { digest in try CertificatePin(digest: digest) }
        let login = LoginConversation(
            identity: try files.identity(), key: identityKey, device: device, purpose: .login, publication: nil)
        let command = SocketCommand(name, data, requestID: requestID)
        let socket = try await WebSocketClient.connect(to: endpoint, pins: pins)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await talk(login, command, over: socket) }
                group.addTask {
                    try await Task.sleep(for: patience)
                    // Ends the other task too, which waits for the next message.
                    await socket.close()
                    throw ProtocolError(
                        .nodeUnreachable, "The node did not answer within a minute.", hint: "Try again.")
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            await socket.close()
            throw error
        }
        await socket.close()
    }

    private static func talk(
        _ start: LoginConversation, _ command: SocketCommand, over socket: WebSocketClient
    ) async throws {
        var login = start
        try await socket.send(login.start().canonicalText)
        var isIn = false
        var messages = socket.messages.makeAsyncIterator()
        while let text = try await messages.next() {
            let frame = try JSONObject.parse(Array(text.utf8))
            guard isIn else {
                switch try login.receive(frame) {
                case .send(let frame): try await socket.send(frame.canonicalText)
                case .wait: continue
                case .done:
                    isIn = true
                    try await socket.send(command.object.canonicalText)
                }
                continue
            }
            let event = try SocketEvent(frame)
            guard event.data["request_id"]?.string == requestID else { continue }
            guard event.name == "error" else { return }
            throw ProtocolError(object: event.data)
                ?? ProtocolError(.internalError, "The node refused without saying why.", hint: "Try again later.")
        }
        throw ProtocolError(.nodeUnreachable, "The node ended the conversation early.", hint: "Try again.")
    }
}
