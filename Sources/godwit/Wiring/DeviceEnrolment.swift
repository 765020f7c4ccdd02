import FoundationEssentials
import GodwitCarrier
import GodwitClient
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension Registration {
    /// Publishes the successor of the user's device list over WebSocket.
    ///
    /// - Parameter successor: signs it; called again where another device was faster.
    /// - Throws: `ProtocolError` that the node answered, 3000 when it cannot be reached; what `successor` throws.
    static func publishList(
        _ files: ClientFiles, identity: IdentityFile, device: DeviceID, key: SigningKey,
        successor: @escaping @Sendable (DeviceList) async throws -> Publication
    ) async throws {
        let conversation = DeviceListConversation(identity: identity, key: key, device: device)
        try await NodeCall.withSocket(files) { socket in
            var conversation = conversation
            try await socket.send(conversation.start().canonicalText)
            var messages = socket.messages.makeAsyncIterator()
            while let text = try await messages.next() {
                switch try conversation.receive(JSONObject.parse(Array(text.utf8))) {
                case .send(let frame): try await socket.send(frame.canonicalText)
                case .sign(let list):
                    let frame = conversation.publish(try await successor(list))
                    try await socket.send(frame.canonicalText)
                case .wait: continue
                case .done: return
                }
            }
            throw NodeCall.endedEarly
        }
    }
}

extension ClientFiles {
    /// Makes this home a further device of a user who is registered.
    ///
    /// - Parameters:
    ///   - asksForHistory: whether another device is asked for its newest messages.
    ///   - makeKey: the key of a store that is locked from the beginning.
    /// - Throws: `ProtocolError` 2000 if there is an identity here already; as `Registration.publishList`.
    func addDevice(
        to identity: IdentityFile, key: SigningKey, node: NodeDescriptor, endpoint: String?, asksForHistory: Bool,
        makeKey: () throws -> StoreKey? = { nil }
    ) async throws -> DeviceID {
        try prepare(for: node, endpoint: endpoint)
        let device = try await Device.create(
            directory: devicePath, key: makeKey(), identity: identity, identityKey: key,
            node: node, time: SystemTime())
        let id = device.deviceID
        do {
            try await Registration.publishList(self, identity: identity, device: id, key: key) {
                try await device.join($0, signedBy: key)
            }
            if asksForHistory { try await device.requestHistory() }
        } catch {
            // Nobody has heard of this device: the next run begins anew.
            try? await device.close()
            throw error
        }
        try await device.close()
        // Last: a home with this file is complete.
        try DurableFile.write(identity.object.canonicalBytes(), to: identityPath)
        return id
    }
}
