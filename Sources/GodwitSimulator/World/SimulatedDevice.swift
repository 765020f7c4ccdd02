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
    /// The user's, which every device of the user has been given.
    let identity: (file: IdentityFile, key: SigningKey)
    package private(set) var device: Device
    /// In the world's time.
    var enrolled: Int64 = 0
    /// The box is gone for good since then; nil: it is in use.
    var lost: Int64?
    /// It is no more in its user's list since then.
    var removed: Int64?
    /// Turned off until then, in the world's time; nil: it is on.
    var darkUntil: Int64?
    /// Something may be waiting for the node.
    var isDirty = true
    var lastContact: Int64 = 0

    var party: Party { device.party }
    var isInUse: Bool { lost == nil }
    /// It can be used now.
    var isAtHand: Bool { lost == nil && darkUntil == nil }

    /// A user's first device, with an account at its node.
    package static func enrol(
        _ name: String, user: Int, node place: Int, at node: SimulatedNode, in directory: String, _ clock: VirtualClock
    ) async throws -> SimulatedDevice {
        let key = try SigningKey.generate()
        let file = try identity(name, at: node, key, clock.now())
        let device = try await Device.create(
            directory: directory, identity: file, identityKey: key, node: node.home.descriptor, time: clock,
            models: PhraseModelLibrary())
        let session = try await session(of: device, (file, key), .register(invite: nil), at: node)
        _ = try await node.node.carryOut("publish_keys", try await device.publication().object, in: session)
        return SimulatedDevice(
            user: user, node: place, clock: clock, directory: directory, identity: (file, key), device: device)
    }

    /// A further device of the same user, in another box.
    func further(at node: SimulatedNode, in directory: String, _ clock: VirtualClock) async throws -> SimulatedDevice {
        let device = try await Device.create(
            directory: directory, identity: identity.file, identityKey: identity.key, node: node.home.descriptor,
            time: clock, models: PhraseModelLibrary())
        let key = identity.key
        try await Self.publish(by: device, identity, at: node) { try await device.join($0, signedBy: key) }
        return SimulatedDevice(
            user: user, node: self.node, clock: clock, directory: directory, identity: identity, device: device)
    }

    /// Strikes another device of the same user from the list.
    func remove(_ other: DeviceID, at node: SimulatedNode) async throws {
        let (device, key) = (device, identity.key)
        try await Self.publish(by: device, identity, at: node) {
            try await device.remove(other, from: $0, signedBy: key)
        }
    }

    private static func publish(
        by device: Device, _ identity: (IdentityFile, SigningKey), at node: SimulatedNode,
        _ successor: (DeviceList) async throws -> Publication
    ) async throws {
        let session = try await session(of: device, identity, .login, at: node)
        let answer = try await node.node.carryOut("list_devices", [:], in: session)
        let list = try DeviceList(ObjectReader(answer, what: "answer").value("device_list"))
        _ = try await node.node.carryOut("publish_keys", try await successor(list).object, in: session)
    }

    private static func session(
        of device: Device, _ identity: (file: IdentityFile, key: SigningKey), _ purpose: LoginConversation.Purpose,
        at node: SimulatedNode
    ) async throws -> GodwitNode.Session {
        var login = LoginConversation(
            identity: identity.file, key: identity.key, device: device.deviceID, purpose: purpose, publication: nil)
        let challenge = try await node.node.login("auth_challenge_request", login.start(), from: nil)
        guard case .send(let answer) = try login.receive(challenge.setting("type", "auth_challenge")),
            let step = answer["type"]?.string,
            let token = try await node.node.login(
                step, answer.setting("user_id", .string(identity.file.userID.text)), from: nil)["session_token"]?.string
        else { throw ProtocolError(.internalError, "The login did not go on.") }
        return try await node.node.session(for: token)
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
