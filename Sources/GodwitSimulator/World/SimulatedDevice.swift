import GodwitBatch
package import GodwitClient
import GodwitCompression
import GodwitContact
import GodwitCrypto
import GodwitNode
import GodwitProtocol

/// A box with a device of a user.
package struct SimulatedDevice {
    let user: Int
    /// Place of its home node.
    let node: Int
    let clock: VirtualClock
    let directory: String
    package private(set) var device: Device
    /// Turned off until then, in the world's time; nil: it is on.
    var darkUntil: Int64?
    /// Something may be waiting for the node.
    var isDirty = true
    var lastContact: Int64 = 0

    var party: Party { device.party }

    /// A user's first device, with an account at its node.
    package static func enrol(
        _ name: String, user: Int, node place: Int, at node: SimulatedNode, in directory: String, _ clock: VirtualClock
    ) async throws -> SimulatedDevice {
        let key = try SigningKey.generate()
        let file = try identity(name, at: node, key, clock.now())
        let device = try await Device.create(
            directory: directory, identity: file, identityKey: key, node: node.home.descriptor, time: clock,
            models: PhraseModelLibrary())
        var login = LoginConversation(
            identity: file, key: key, device: device.deviceID, purpose: .register(invite: nil), publication: nil)
        let challenge = try await node.node.login("auth_challenge_request", login.start(), from: nil)
        guard case .send(let answer) = try login.receive(challenge.setting("type", "auth_challenge")) else {
            throw ProtocolError(.internalError, "The login did not go on.")
        }
        let success = try await node.node.login("auth_register", answer, from: nil)
        guard let token = success["session_token"]?.string else {
            throw ProtocolError(.internalError, "The login brought no token.")
        }
        let session = try await node.node.session(for: token)
        _ = try await node.node.carryOut("publish_keys", try await device.publication().object, in: session)
        return SimulatedDevice(user: user, node: place, clock: clock, directory: directory, device: device)
    }

    private static func identity(
        _ name: String, at node: SimulatedNode, _ key: SigningKey, _ now: Timestamp
    ) throws -> IdentityFile {
        let identity: JSONObject = [
            "full_id": .string(node.id.text + "." + name), "username": .string(name),
            "home_node_id": .string(node.id.text), "public_key": .string(key.publicKey.text),
            "created": .string(now.description),
        ]
        return try IdentityFile([
            "version": "1.0", "identity": .object(identity), "home_node": ["endpoint": "wss://node.example"],
            "encrypted_data": "AAAA", "signature": .string(key.sign(object: identity, purpose: .identity).text),
        ])
    }

    /// Starts the box anew: in order, or from what was on its disk when the power failed.
    mutating func restart(crashed: Bool) async throws {
        let copy = directory + "-crashed"
        if crashed { try SimulatedDisk.copy(directory, to: copy) }
        try await device.close()
        if crashed {
            try SimulatedDisk.remove(directory)
            try SimulatedDisk.move(copy, to: directory)
        }
        clock.turnOff()
        clock.turnOn()
        device = try await Self.open(directory, clock)
        isDirty = true
    }

    /// The store is what it was when the card was copied.
    mutating func replace(by card: String) async throws {
        try await device.close()
        try SimulatedDisk.remove(directory)
        try SimulatedDisk.move(card, to: directory)
        device = try await Self.open(directory, clock)
        isDirty = true
    }

    static func open(_ directory: String, _ clock: VirtualClock) async throws -> Device {
        try await Device(directory: directory, time: clock, models: PhraseModelLibrary())
    }

    /// One contact with the home node.
    mutating func sync(over link: any Carrier, at now: Int64) async throws {
        isDirty = true
        isDirty = try await device.sync(over: link).more
        lastContact = now
    }
}
