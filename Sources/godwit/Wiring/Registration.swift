import GodwitCarrier
import GodwitClient
import GodwitCrypto
import GodwitProtocol

/// Registers an identity and its device with its home node over WebSocket.
enum Registration {
    /// - Throws: `ProtocolError` that the node answered, 3000 when it cannot be reached.
    static func run(_ files: ClientFiles, identityKey: SigningKey, invite: String?) async throws {
        try await files.withDevice {
            try await run(files, device: $0, identityKey: identityKey, invite: invite)
        }
    }

    static func run(
        _ files: ClientFiles, device: Device, identityKey: SigningKey, invite: String?
    ) async throws {
        let conversation = LoginConversation(
            identity: try files.identity(), key: identityKey, device: device.deviceID,
            purpose: .register(invite: invite), publication: try await device.publication())
        try await withSocket(files) { try await talk(conversation, over: $0) }
    }

    /// Opens a socket to the home node for one conversation, and closes it.
    static func withSocket(
        _ files: ClientFiles, _ talk: @escaping @Sendable (WebSocketClient) async throws -> Void
    ) async throws {
        let endpoint = try Endpoint(ClientFiles.socketURL(try files.endpoint()))
        let pins = try files.node().pins.map { digest in try CertificatePin(digest: digest) }
        let socket = try await WebSocketClient.connect(to: endpoint, pins: pins)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await talk(socket) }
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

    /// For the whole conversation.
    private static let patience = Duration.seconds(60)

    private static func talk(_ start: LoginConversation, over socket: WebSocketClient) async throws {
        var conversation = start
        try await socket.send(conversation.start().canonicalText)
        var messages = socket.messages.makeAsyncIterator()
        while let text = try await messages.next() {
            switch try conversation.receive(JSONObject.parse(Array(text.utf8))) {
            case .send(let frame): try await socket.send(frame.canonicalText)
            case .wait: continue
            case .done: return
            }
        }
        throw ProtocolError(.nodeUnreachable, "The node ended the conversation early.", hint: "Try again.")
    }
}
