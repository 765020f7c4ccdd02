import GodwitCrypto
import GodwitProtocol
import Synchronization

/// A user with one device, made by hand from keys: another implementation of what a client signs.
final class Person: Sendable {
    let id: UserID
    let identityKey: SigningKey
    let deviceKey: SigningKey
    let agreementKey: AgreementKey
    let noiseKey: AgreementKey
    let device: DeviceID
    private let counter = Mutex<Int64>(0)
    private let chains = Mutex<[String: (next: Int64, last: MessageHash)]>([:])

    var party: Party { .device(id, device) }

    init(_ name: String, at node: NodeID) throws {
        id = UserID(node: node, username: try Username(name))
        identityKey = try .generate()
        deviceKey = try .generate()
        agreementKey = try .generate()
        noiseKey = try .generate()
        device = try DeviceIDDerivation.derive(from: deviceKey.publicKey)
    }

    // MARK: Identity

    func identityFile() -> JSONObject {
        let identity: JSONObject = [
            "full_id": .string(id.text), "home_node_id": .string(id.node.text),
            "username": .string(id.username.text), "public_key": .string(identityKey.publicKey.text),
            "created": .string(TestTime.start.description), "display_name": "A person",
        ]
        return [
            "version": "1.0", "identity": .object(identity), "home_node": ["endpoint": "wss://node.example"],
            "encrypted_data": .string(Base64.encode([1, 2, 3])),
            "signature": .string(identityKey.sign(object: identity, purpose: .identity).text),
        ]
    }

    /// - Parameters:
    ///   - kem: what the entries name as the kind of their KEM.
    ///   - revoked: devices that the list calls revoked.
    func deviceList(
        version: Int64 = 1, with others: [Person] = [], kem: String? = nil, revoked: [Person] = []
    ) -> JSONObject {
        let entries = ([self] + others).map { person -> JSONValue in
            var entry = person.entry(of: id)
            if let kem { entry["kem"] = .string(kem) }
            return .object(identityKey.signed(entry, purpose: .device))
        }
        var list: JSONObject = [
            "user_id": .string(id.text), "version": .integer(version),
            "issued": .string(TestTime.start.description), "devices": .array(entries),
        ]
        let gone = revoked.map { person -> JSONValue in
            [
                "signing_key": .string(person.deviceKey.publicKey.text),
                "agreement_key": .string(person.agreementKey.publicKey.text),
            ]
        }
        if !gone.isEmpty { list["revoked"] = .array(gone) }
        return identityKey.signed(list, purpose: .deviceList)
    }

    private func entry(of user: UserID) -> JSONObject {
        [
            "user_id": .string(user.text), "device": .string(device.text),
            "signing_key": .string(deviceKey.publicKey.text),
            "agreement_key": .string(agreementKey.publicKey.text),
            "noise_key": .string(noiseKey.publicKey.text), "created": .string(TestTime.start.description),
        ]
    }

    func signedPreKey(_ number: Int64 = 1) -> JSONObject {
        deviceKey.signed(
            [
                "user_id": .string(id.text), "device": .string(device.text), "id": .integer(number),
                "key": .string(agreementKey.publicKey.text), "created": .string(TestTime.start.description),
            ], purpose: .preKey)
    }

    /// - Parameter pad: bytes of a member that this version does not know.
    func kemPreKey(_ number: Int64 = 1, pad: Int = 0) -> JSONObject {
        let key = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: KEMPreKey.keyCount)
        var object: JSONObject = [
            "user_id": .string(id.text), "device": .string(device.text), "id": .integer(number),
            "key": .string("mlkem768:" + Base64.encode(key)), "created": .string(TestTime.start.description),
        ]
        if pad > 0 { object["pad"] = .string(String(repeating: "x", count: pad)) }
        return deviceKey.signed(object, purpose: .preKey)
    }

    static func oneTimeKeys(_ numbers: Range<Int64>) -> JSONValue {
        .array(
            numbers.map { number in
                let key = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32)
                return ["id": .integer(number), "key": .string("x25519:" + Base64.encode(key))]
            })
    }

    func keys(oneTime: Range<Int64> = 1..<6) -> JSONObject {
        [
            "device_list": .object(deviceList()), "signed_pre_key": .object(signedPreKey()),
            "one_time_pre_keys": Self.oneTimeKeys(oneTime),
        ]
    }

    // MARK: Objects

    func command(_ name: String, _ data: JSONObject, counter fixed: Int64? = nil) -> JSONObject {
        let number =
            fixed
            ?? counter.withLock { value in
                value += 1
                return value
            }
        return deviceKey.signed(
            SignedCommand.unsigned(name, data, user: id, device: device, counter: number), purpose: .command)
    }

    func channelCommand(_ name: String, _ channel: String, at node: NodeID) -> JSONObject {
        command(
            name,
            [
                "channel": .string(channel), "channel_node": .string(node.text),
                "pre_key": .object(signedPreKey()),
            ])
    }

    func epoch(for membership: Membership, wrapping members: [Person]) -> JSONObject {
        let unsigned = EpochStart.unsigned(
            channel: membership.channel, predecessor: nil, membership: membership.version,
            deviceSet: membership.deviceSet, commitment: [UInt8](repeating: 5, count: 32), author: id, device: device,
            created: TestTime.start)
        let wraps = members.map {
            EpochStart.Wrap(
                userID: $0.id, device: $0.device, preKey: 1, wrapped: [UInt8](repeating: 6, count: 48))
        }
        return deviceKey.signed(
            unsigned.setting(
                "wraps", EpochStart.distribution(ephemeral: [UInt8](repeating: 7, count: 32), wraps: wraps)),
            purpose: .epoch)
    }

    /// A deletion of messages of one conversation.
    func deletion(_ messages: [JSONObject]) throws -> JSONObject {
        let parsed = try messages.map { try Message($0) }
        return deviceKey.signed(
            Deletion.unsigned(
                parsed.map(\.hash), in: parsed[0].address, channelNode: parsed[0].channelNode, user: id, device: device,
                at: TestTime.start), purpose: .deletion)
    }

    // MARK: Messages

    /// The next message of the chain to an address.
    func message(
        to address: String, at node: NodeID? = nil, time: Timestamp = TestTime.start, ciphertext: Int = 48,
        changing: [String: JSONValue] = [:]
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "text", "timestamp": .string(time.description), "author": .string(id.text),
            "device": .string(device.text), "channel": .string(address),
            "content": ["ciphertext": .string(Base64.encode(SystemRandom().bytes(ciphertext)))],
            "encryption": [
                "algorithm": "chacha20-poly1305", "key_id": "na342hl5nk7kx4ws", "nonce": "AQIDBAAAAAAAAAAA",
                "header": "",
            ],
            "metadata": ["client": "test/1"],
        ]
        if let node {
            object["channel_node"] = .string(node.text)
            object["epoch"] = .string(Base64.encode([UInt8](repeating: 9, count: 32)))
        }
        for (key, value) in changing { object[key] = value }
        return chains.withLock { chains in
            let link = chains[address]
            object["seq"] = .integer(link?.next ?? 0)
            object["prev"] = link.map { .string($0.last.base64) } ?? .null
            let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: link?.last)
            chains[address] = ((link?.next ?? 0) + 1, hash)
            return finished(object, hash)
        }
    }

    private func finished(_ object: JSONObject, _ hash: MessageHash) -> JSONObject {
        object.setting("id", .string(hash.id.text))
            .setting("signature", .string(deviceKey.sign(hash.bytes, purpose: .message).text))
    }

    /// A message of exactly `size` bytes of JCS, to a user.
    func message(ofSize size: Int, to address: String) -> JSONObject {
        let bare = Person.trial(self, address, pad: "")
        return message(
            to: address, changing: ["pad": .string(String(repeating: "x", count: size - bare.canonicalBytes().count))])
    }

    private static func trial(_ person: Person, _ address: String, pad: String) -> JSONObject {
        let kept = person.chains.withLock { $0 }
        defer { person.chains.withLock { $0 = kept } }
        return person.message(to: address, changing: ["pad": .string(pad)])
    }
}
