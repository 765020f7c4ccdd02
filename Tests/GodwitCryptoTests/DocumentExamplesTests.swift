import Foundation
import GodwitCrypto
import GodwitProtocol
import Testing

/// The worked examples of `docs/protocol.md` §12, byte for byte. They were computed by `Tests/Vectors/make_examples.py`,
/// which shares no code with this.
@Suite("Worked examples of the protocol document")
struct DocumentExamplesTests {
    private let document = ExampleDocument()

    /// Signing again with the seed gives the very object of the document.
    private func checkSignature(
        of object: JSONObject, by seed: UInt8, _ purpose: SignaturePurpose,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let key = try ExampleKey.signing(seed)
        #expect(key.signed(object.omitting(["signature"]), purpose: purpose) == object, sourceLocation: sourceLocation)
        let signature = try Signature(text: try #require(object["signature"]?.string))
        #expect(
            key.publicKey.verify(object: object, signature: signature, purpose: purpose), sourceLocation: sourceLocation
        )
    }

    @Test("node descriptor: keys, id and signature")
    func descriptor() throws {
        let object = try document.example("node-descriptor")
        let descriptor = try NodeDescriptor(object)
        let key = try ExampleKey.signing(0x01).publicKey
        #expect(descriptor.publicKey == key.bytes)
        #expect(descriptor.noiseKey == (try ExampleKey.agreement(0x02).publicKey.bytes))
        #expect(descriptor.id == (try NodeIDDerivation.derive(from: key)))
        try checkSignature(of: object, by: 0x01, .descriptor)
    }

    @Test("identity file: both signatures, and the seed under the passphrase")
    func identityFile() throws {
        let file = try IdentityFile(document.example("identity-file"))
        let key = try ExampleKey.signing(0x03)
        #expect(file.publicKey == key.publicKey.bytes)
        #expect(file.object["signature"]?.string == key.sign(object: file.identity, purpose: .identity).text)
        #expect(file.object["file_signature"]?.string == key.sign(object: file.object, purpose: .identityFile).text)
        let secrets = try PassphraseProtection.unprotect(
            file.encryptedData, passphrase: "correct horse battery staple", fullID: file.userID.text,
            publicKey: key.publicKey.text)
        #expect(secrets == ["seed": .string(Base64.encode([UInt8](repeating: 0x03, count: 32)))])
    }

    @Test("device list with its entry, and a signed pre-key")
    func devices() throws {
        let object = try document.example("device-list")
        let list = try DeviceList(object)
        let entry = try #require(list.devices.first)
        #expect(entry.signingKey == (try ExampleKey.signing(0x04).publicKey.bytes))
        #expect(entry.agreementKey == (try ExampleKey.agreement(0x05).publicKey.bytes))
        #expect(entry.noiseKey == (try ExampleKey.agreement(0x06).publicKey.bytes))
        #expect(entry.device == (try DeviceIDDerivation.derive(from: ExampleKey.signing(0x04).publicKey)))
        try checkSignature(of: entry.object, by: 0x03, .device)
        try checkSignature(of: object, by: 0x03, .deviceList)
        let preKey = try SignedPreKey(document.example("signed-pre-key"))
        #expect(preKey.key == (try ExampleKey.agreement(0x17).publicKey.bytes))
        try checkSignature(of: preKey.object, by: 0x14, .preKey)
    }

    @Test("login: what is signed, and the proof")
    func login() throws {
        let signed = try document.example("auth-signed")
        let user = try UserID(#require(signed["user_id"]?.string))
        let time = try #require(signed["timestamp"]?.string)
        let issued = try #require(Timestamp(iso8601: time))
        let challenge = AuthChallenge(challenge: [UInt8](repeating: 0x31, count: 32), timestamp: issued)
        #expect(challenge.proofObject(user: user, node: user.node) == signed)
        let proof = try document.example("auth-proof")
        #expect(proof["signature"]?.string == (try ExampleKey.signing(0x03).sign(object: signed, purpose: .auth).text))
        guard case .proof(_, let signature, let publicKey, _)? = try AuthRequest(proof) else {
            Issue.record("the proof is read as one")
            return
        }
        let verified = try VerifyingKey(publicKey).verify(
            object: signed, signature: Signature(text: signature), purpose: .auth)
        #expect(verified)
    }

    @Test("join: command, member list and the order of the channel's node")
    func join() throws {
        let command = try document.example("join-command")
        try checkSignature(of: command, by: 0x14, .command)
        let preKey = try SignedPreKey(ObjectReader(try SignedCommand(command).data, what: "command").value("pre_key"))
        let membership = try Membership(document.example("membership"))
        try checkSignature(of: membership.object, by: 0x01, .order)
        #expect(membership.joined == [Joiner(preKey: preKey)])
        guard case .memberList(let list) = try ProtocolObject(document.example("members")) else {
            Issue.record("the member list is read as one")
            return
        }
        #expect(list.hash == membership.deviceSet)
        #expect(list.object == (try document.example("members")))
        #expect(Hex.encode(membership.deviceSet) == (try document.value("device_set")))
        #expect(Hex.encode(membership.joinHash) == (try document.value("join_hash")))
    }

    /// The epoch's secret as whoever was there before derives it.
    private func secret() throws -> EpochSecret {
        let membership = try Membership(document.example("membership"))
        return try EpochNext(Secret([UInt8](repeating: 0x41, count: 32))).joined(joinHash: membership.joinHash)
    }

    @Test("the epoch of a join: its name is the join hash, and bob opens its secret with the sponsor's agreement key")
    func joined() throws {
        let membership = try Membership(document.example("membership"))
        #expect(membership.change.predecessor == [UInt8](repeating: 0x42, count: 32))
        guard case .epochKey(let key) = try ProtocolObject(document.example("epoch-key")) else {
            Issue.record("the key is read as one")
            return
        }
        let joiner = try #require(membership.joined.first)
        #expect(key.keyID == Array(membership.joinHash.prefix(10)) && key.device == joiner.device)
        #expect(key.object == (try document.example("epoch-key")))
        let (secret, name) = (try secret(), try EpochName(membership.joinHash))
        let recipient = EpochWrap.Recipient(user: joiner.userID, device: joiner.device)
        let sealed = try EpochWrap.seal(
            secret, epoch: name, ephemeral: ExampleKey.agreement(0x43), from: ExampleKey.agreement(0x05),
            for: recipient, signedPreKey: ExampleKey.agreement(0x17).publicKey,
            identity: ExampleKey.agreement(0x15).publicKey)
        #expect(sealed == key.key)
        let opened = try EpochWrap.open(
            key.key, epoch: name, from: ExampleKey.agreement(0x05).publicKey, for: recipient,
            signedPreKey: ExampleKey.agreement(0x17), identity: ExampleKey.agreement(0x15))
        #expect(opened == secret)
        #expect(Hex.encode(secret.next.secret.copyBytes()) == (try document.value("next")))
    }

    @Test("epoch: name, commitment, signature, and the wrap for a member")
    func epoch() throws {
        let epoch = try EpochStart(document.example("epoch"))
        let secret = try EpochSecret(Secret([UInt8](repeating: 0x44, count: 32)))
        #expect(Hex.encode(epoch.name) == (try document.value("epoch_name")))
        #expect(epoch.predecessor == (try Membership(document.example("membership"))).joinHash)
        #expect(epoch.commitment == secret.commitment && epoch.rotation == 1)
        let key = try ExampleKey.signing(0x04)
        #expect(epoch.object["signature"]?.string == key.sign(object: epoch.object, purpose: .epoch).text)

        let wrap = try #require(epoch.wraps.first)
        let name = try EpochName(epoch.name)
        let recipient = EpochWrap.Recipient(user: wrap.userID, device: wrap.device)
        let wrapped = try EpochWrap.wrap(
            secret, epoch: name, ephemeral: ExampleKey.agreement(0x45), for: recipient,
            signedPreKey: ExampleKey.agreement(0x17).publicKey, identity: ExampleKey.agreement(0x15).publicKey)
        #expect(wrapped == wrap.wrapped)
        #expect(epoch.ephemeral == (try ExampleKey.agreement(0x45).publicKey.bytes))
        let unwrapped = try EpochWrap.unwrap(
            wrap.wrapped, epoch: name, ephemeral: AgreementPublicKey(epoch.ephemeral), for: recipient,
            signedPreKey: ExampleKey.agreement(0x17), identity: ExampleKey.agreement(0x15))
        #expect(unwrapped == secret)
    }

    @Test("deletion and erasure: what they name, and their signatures")
    func deletion() throws {
        let deletion = try Deletion(document.example("deletion"))
        let message = try Message(document.example("message"))
        #expect(deletion.items == [message.hash] && deletion.conversation == message.conversation)
        let unsigned = Deletion.unsigned(
            [message.hash], in: message.address, channelNode: message.channelNode, user: message.author,
            device: message.device, at: message.timestamp)
        #expect(deletion.object.omitting(["signature"]) == unsigned)
        try checkSignature(of: deletion.object, by: 0x04, .deletion)
        let erasure = try Erasure(document.example("erasure"))
        #expect(erasure.object.omitting(["signature"]) == Erasure.unsigned(message.author, at: message.timestamp))
        try checkSignature(of: erasure.object, by: 0x01, .erasure)
    }

    @Test("the move of a user: signed by the identity key, for both ids")
    func userMoved() throws {
        let move = try UserMove(document.example("user-moved"))
        #expect(move.publicKey == (try ExampleKey.signing(0x03).publicKey.bytes))
        #expect(
            UserMove.unsigned(move.userID, to: move.to, publicKey: move.publicKey, at: move.at)
                == move.object.omitting(["signature"]))
        try checkSignature(of: move.object, by: 0x03, .userMoved)
    }

    @Test("message: hashes, id, signature, and the ciphertext both ways")
    func message() throws {
        let message = try Message(document.example("message"))
        let body = SHA256Digest.of(Message.body(of: message.object))
        #expect(Hex.encode(body) == (try document.value("body_hash")))
        #expect(Hex.encode(message.hash.bytes) == (try document.value("message_hash")))
        #expect(Hex.encode(SHA256Digest.of(message.associatedData)) == (try document.value("associated_data_sha256")))
        #expect(message.proof.text == (try ExampleKey.signing(0x04).sign(message.hash.bytes, purpose: .message).text))

        let name = try EpochName(try #require(message.epoch))
        #expect(message.encryption.keyID == name.keyID)
        var sending = try secret().chain(of: message.device, user: message.author, epoch: name)
        var reading = sending
        let content = try #require(Hex.decode(document.value("content")))
        let sealed = try sending.encrypt(content, salt: NonceSalt([1, 2, 3, 4])) { _ in message.associatedData }
        #expect(sealed.nonce == message.encryption.nonce)
        #expect(sealed.ciphertext == message.ciphertext)
        #expect(try reading.decrypt(sealed, aad: message.associatedData) == content)
    }
}

/// Keys from seeds of one repeated byte.
private enum ExampleKey {
    static func signing(_ byte: UInt8) throws -> SigningKey {
        try SigningKey(seed: Secret([UInt8](repeating: byte, count: 32)))
    }
    static func agreement(_ byte: UInt8) throws -> AgreementKey {
        try AgreementKey(Secret([UInt8](repeating: byte, count: 32)))
    }
}

/// Finds the fenced JSON blocks that a comment names.
private struct ExampleDocument {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/protocol.md")

    func example(_ name: String) throws -> JSONObject {
        let text = try String(contentsOf: Self.path, encoding: .utf8)
        let parts = text.components(separatedBy: "<!-- example: \(name) -->\n```json\n")
        try #require(parts.count == 2, "the document has the example \(name) once")
        let block = try #require(parts[1].components(separatedBy: "\n```").first)
        return try JSONObject.parse(Array(block.utf8))
    }

    /// Hexadecimal, from the last block.
    func value(_ name: String) throws -> String { try #require(example("values")[name]?.string) }
}
