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
        let endpoint = try Endpoint(ClientFiles.socketURL(try files.endpoint()))
        let pins = try files.node().pins.map { digest in try CertificatePin(digest: digest) }
        let socket = try await WebSocketClient.connect(to: endpoint, pins: pins)
        var conversation = LoginConversation(
            identity: try files.identity(), key: identityKey, device: device.deviceID,
            purpose: .register(invite: invite), publication: try await device.publication())
        do {
            try await talk(&conversation, over: socket)
        } catch {
            await socket.close()
            throw error
        }
        await socket.close()
    }

    private static func talk(_ conversation: inout LoginConversation, over socket: WebSocketClient) async throws {
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
