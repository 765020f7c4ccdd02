import Crypto
import GodwitCrypto
import GodwitProtocol

/// A user with one device, as a client that nobody here optimised would be: keys, registration, signed messages. The
/// ciphertext is noise, for a node does not look inside.
struct LoadPerson: Sendable {
    let id: UserID
    let device: DeviceID
    private let identityKey: SigningKey
    private let deviceKey: SigningKey
    private let agreementKey: AgreementKey
    /// Of each conversation the next number, and the hash that it goes on from.
    private var chains: [String: (sequence: Int64, last: MessageHash?)] = [:]

    init(_ name: String, at node: NodeID) throws {
        id = UserID(node: node, username: try Username(name))
        identityKey = try .generate()
        deviceKey = try .generate()
        agreementKey = try .generate()
        device = try DeviceIDDerivation.derive(from: deviceKey.publicKey)
    }

    // MARK: Frames of the login

    var challengeRequest: JSONObject { ["type": "auth_challenge_request", "user_id": .string(id.text)] }

    func registration(_ challenge: AuthChallenge) -> JSONObject {
        let identity: JSONObject = [
            "full_id": .string(id.text), "home_node_id": .string(id.node.text),
            "username": .string(id.username.text), "public_key": .string(identityKey.publicKey.text),
            "created": .string(challenge.timestamp.description),
        ]
        let file: JSONObject = [
            "version": "1.0", "identity": .object(identity), "home_node": ["endpoint": "wss://node.example"],
            "encrypted_data": "AQID", "signature": .string(identityKey.sign(object: identity, purpose: .identity).text),
        ]
        let signed = challenge.registrationObject(identity: identity, invite: nil, node: id.node)
        return [
            "type": "auth_register", "identity_file": .object(file), "device": .string(device.text),
            "challenge": .string(Base64.encode(challenge.challenge)),
            "signature": .string(identityKey.sign(object: signed, purpose: .register).text),
        ]
    }

    func keys(at time: Timestamp) -> JSONObject {
        let entry = identityKey.signed(
            [
                "user_id": .string(id.text), "device": .string(device.text),
                "signing_key": .string(deviceKey.publicKey.text),
                "agreement_key": .string(agreementKey.publicKey.text),
                "noise_key": .string(agreementKey.publicKey.text), "created": .string(time.description),
            ], purpose: .device)
        let list = identityKey.signed(
            [
                "user_id": .string(id.text), "version": 1, "issued": .string(time.description),
                "devices": .array([.object(entry)]),
            ], purpose: .deviceList)
        return [
            "device_list": .object(list), "signed_pre_key": .object(preKey(at: time)), "one_time_pre_keys": .array([]),
        ]
    }

    private func preKey(at time: Timestamp) -> JSONObject {
        deviceKey.signed(
            [
                "user_id": .string(id.text), "device": .string(device.text), "id": 1,
                "key": .string(agreementKey.publicKey.text), "created": .string(time.description),
            ], purpose: .preKey)
    }

    // MARK: What it says

    func channelCommand(_ name: String, _ channel: String, counter: Int64, at time: Timestamp) -> JSONObject {
        let data: JSONObject = [
            "channel": .string(channel), "channel_node": .string(id.node.text), "pre_key": .object(preKey(at: time)),
        ]
        return deviceKey.signed(
            SignedCommand.unsigned(name, data, user: id, device: device, counter: counter), purpose: .command)
    }

    /// The next message to another user: the conversation goes on from the last one.
    mutating func message(to reader: UserID, at time: Timestamp) -> JSONObject {
        message("@" + reader.text, ["channel": .string("@" + reader.text)], at: time)
    }

    /// The next message to a channel of the own node.
    mutating func message(in channel: String, at time: Timestamp) -> JSONObject {
        let place: JSONObject = [
            "channel": .string(channel), "channel_node": .string(id.node.text),
            "epoch": .string(Base64.encode(SampleItems.digest(Array(channel.utf8)))),
        ]
        return message(channel, place, at: time)
    }

    /// - Parameter place: members that name the conversation.
    private mutating func message(_ conversation: String, _ place: JSONObject, at time: Timestamp) -> JSONObject {
        let (sequence, last) = chains[conversation] ?? (0, nil)
        let noise = SampleTalk.bytes(Int(sequence), count: 64)
        var object = place
        object["type"] = "text"
        object["timestamp"] = .string(time.description)
        object["author"] = .string(id.text)
        object["device"] = .string(device.text)
        object["seq"] = .integer(sequence)
        object["prev"] = last.map { .string($0.base64) } ?? .null
        object["content"] = ["ciphertext": .string(Base64.encode(noise))]
        object["encryption"] = [
            "algorithm": "chacha20-poly1305", "key_id": "na342hl5nk7kx4ws", "nonce": "AQIDBAAAAAAAAAAA", "header": "",
        ]
        object["metadata"] = ["client": "load/1"]
        let hash = MessageHash(linking: SampleItems.digest(Message.body(of: object)), after: last)
        object["id"] = .string(hash.id.text)
        object["signature"] = .string(deviceKey.sign(hash.bytes, purpose: .message).text)
        chains[conversation] = (sequence + 1, hash)
        return object
    }
}
