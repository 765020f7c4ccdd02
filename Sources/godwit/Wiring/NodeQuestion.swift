import GodwitCarrier
import GodwitClient
import GodwitCrypto
import GodwitProtocol

/// Asks the home node something that no device keeps, page by page, in a session that ends with the answer.
enum NodeQuestion {
    /// For the whole conversation.
    private static let patience = Duration.seconds(60)
    /// Pages of one answer.
    private static let pagesMax = 100

    /// - Returns: the entries of all pages.
    /// - Throws: `ProtocolError` that the node answered, 3000 when it cannot be reached.
    static func ask(
        _ command: String, _ data: JSONObject, list: String, _ files: ClientFiles, identityKey: SigningKey
    ) async throws -> [JSONObject] {
        let device = try await files.withDevice { $0.deviceID }
        let endpoint = try Endpoint(ClientFiles.socketURL(try files.endpoint()))
        let pins = try files.node().pins.map { digest in try CertificatePin(digest: digest) }
        let login = LoginConversation(
            identity: try files.identity(), key: identityKey, device: device, purpose: .login, publication: nil)
        let socket = try await WebSocketClient.connect(to: endpoint, pins: pins)
        do {
            let entries = try await withThrowingTaskGroup(of: [JSONObject]?.self) { group in
                group.addTask { try await talk(login, command, data, list, over: socket) }
                group.addTask {
                    try await Task.sleep(for: patience)
                    // Ends the other task too, which waits for the next message.
                    await socket.close()
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            await socket.close()
            guard let entries else { throw silence }
            return entries
        } catch {
            await socket.close()
            throw error
        }
    }

    private static let silence = ProtocolError(
        .nodeUnreachable, "The node did not answer within a minute.", hint: "Try again.")

    private static func talk(
        _ login: LoginConversation, _ command: String, _ data: JSONObject, _ list: String,
        over socket: WebSocketClient
    ) async throws -> [JSONObject] {
        var login = login
        var question = data
        var entries: [JSONObject] = []
        var pages = 0
        var isIn = false
        try await socket.send(login.start().canonicalText)
        for try await text in socket.messages {
            let frame = try JSONObject.parse(Array(text.utf8))
            guard isIn else {
                switch try login.receive(frame) {
                case .send(let next): try await socket.send(next.canonicalText)
                case .wait: continue
                case .done:
                    isIn = true
                    try await socket.send(SocketCommand(command, question, requestID: command).object.canonicalText)
                }
                continue
            }
            let event = try SocketEvent(frame)
            // What waits for the device stays with the node: nothing is acknowledged here.
            guard event.data["request_id"]?.string == command else { continue }
            guard event.name == "ack" else { throw ProtocolError(object: event.data) ?? silence }
            entries += (event.data[list]?.array ?? []).compactMap(\.object)
            pages += 1
            guard let next = event.data["next"]?.string, pages < pagesMax else { return entries }
            question["after"] = .string(next)
            try await socket.send(SocketCommand(command, question, requestID: command).object.canonicalText)
        }
        throw ProtocolError(.nodeUnreachable, "The node ended the conversation early.", hint: "Try again.")
    }
}
