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
        try await NodeCall.withSocket(files) { try await talk(conversation, over: $0) }
    }

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
        throw NodeCall.endedEarly
    }
}
