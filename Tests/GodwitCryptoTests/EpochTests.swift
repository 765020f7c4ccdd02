import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// D-14; docs/protocol.md, section 4.3.
@Suite struct EpochTests {
    let random = SeededRandom(31)
    let epoch: EpochName
    let secret: EpochSecret
    let user: UserID
    let device: DeviceID

    init() throws {
        epoch = try EpochName(random.bytes(32))
        secret = try .generate(from: random)
        user = try UserID("a7f3k9m2.alice")
        device = try DeviceID("abcdefgh")
    }

    private func chain() -> SenderChain { secret.chain(of: device, user: user, epoch: epoch) }

    private func send(_ chain: inout SenderChain, _ text: [UInt8]) throws -> SenderChain.Sealed {
        try chain.encrypt(text, salt: try .fixed()) { [7] + $0 }
    }

    private func read(_ chain: inout SenderChain, _ sealed: SenderChain.Sealed) throws -> [UInt8] {
        try chain.decrypt(sealed, aad: [7] + sealed.nonce)
    }

    @Test("readers follow a sender's chain in any order, each key once", arguments: 1...4)
    func anyOrder(_ seed: Int) throws {
        var shuffler = SeededRandom(UInt64(seed))
        var author = chain()
        var reader = chain()
        var sent = try (0..<200).map { try send(&author, [UInt8($0)]) }.enumerated().map { ($0.offset, $0.element) }
        sent.shuffle(using: &shuffler)
        for (text, sealed) in sent {
            #expect(try read(&reader, sealed) == [UInt8(text)])
            let before = reader
            #expect(throws: CryptoError.keyGone) { try read(&reader, sealed) }
            #expect(reader == before)
            if shuffler.below(20) == 0 { reader = try SenderChain(decoding: reader.encoded()) }
        }
        #expect(reader.position == 200)
        #expect(reader.skippedCount == 0)
    }

    @Test("a chain may run 2,000 positions ahead, and not 2,001")
    func aheadLimit() throws {
        var author = chain()
        for _ in 0..<2_000 { _ = try send(&author, [0]) }
        let edge = try send(&author, [1])
        let beyond = try send(&author, [2])
        var reader = chain()
        let before = reader
        #expect(throws: CryptoError.tooFarAhead) { try read(&reader, beyond) }
        #expect(reader == before)
        #expect(try read(&reader, edge) == [1])
        #expect(reader.skippedCount == 2_000)
        #expect(try read(&reader, beyond) == [2])
    }

    @Test("every changed byte is refused and the chain stays")
    func tampering() throws {
        var author = chain()
        _ = try send(&author, [0])
        let sealed = try send(&author, [1, 2, 3])
        var reader = chain()
        let before = reader
        for index in 0..<sealed.nonce.count + sealed.ciphertext.count {
            var changed = sealed
            if index < 12 { changed.nonce[index] ^= 1 } else { changed.ciphertext[index - 12] ^= 1 }
            #expect(throws: CryptoError.self, "byte \(index)") { try read(&reader, changed) }
            #expect(reader == before)
        }
        #expect(throws: CryptoError.authenticationFailed) { try reader.decrypt(sealed, aad: [8] + sealed.nonce) }
        #expect(try read(&reader, sealed) == [1, 2, 3])
    }

    @Test("devices, users, epochs and secrets have chains of their own")
    func separation() throws {
        let other = try EpochSecret.generate(from: random)
        let chains = [
            chain(), secret.chain(of: try DeviceID("abcdefg2"), user: user, epoch: epoch),
            secret.chain(of: device, user: try UserID("a7f3k9m2.bob"), epoch: epoch),
            secret.chain(of: device, user: user, epoch: try EpochName(random.bytes(32))),
            other.chain(of: device, user: user, epoch: epoch),
        ]
        for (index, chain) in chains.enumerated() {
            for other in chains[(index + 1)...] { #expect(chain != other) }
        }
    }

    @Test("everybody who holds an epoch's `next` comes to the same epoch after a join, and to another for another join")
    func joins() throws {
        let hash = random.bytes(32)
        #expect(try secret.next.joined(joinHash: hash) == EpochNext(secret.next.secret).joined(joinHash: hash))
        #expect(try secret.next.joined(joinHash: hash) != secret.next.joined(joinHash: random.bytes(32)))
        #expect(throws: CryptoError.malformed) { try secret.next.joined(joinHash: [1]) }
        #expect(secret.commitment.count == 32)
        #expect(Secret(secret.commitment) != secret.next.secret)
    }

    @Test("a wrap opens for its device alone, with its keys, and in its epoch")
    func wraps() throws {
        let ephemeral = try AgreementKey.generate(from: random)
        let signed = try AgreementKey.generate(from: random)
        let identity = try AgreementKey.generate(from: random)
        let recipient = EpochWrap.Recipient(user: user, device: device)
        let wrapped = try EpochWrap.wrap(
            secret, epoch: epoch, ephemeral: ephemeral, for: recipient, signedPreKey: signed.publicKey,
            identity: identity.publicKey)
        #expect(wrapped.count == 48)

        func unwrap(
            _ wrapped: [UInt8], epoch: EpochName? = nil, recipient: EpochWrap.Recipient? = nil,
            signed other: AgreementKey? = nil, identity otherIdentity: AgreementKey? = nil
        ) throws -> EpochSecret {
            try EpochWrap.unwrap(
                wrapped, epoch: epoch ?? self.epoch, ephemeral: ephemeral.publicKey,
                for: recipient ?? EpochWrap.Recipient(user: user, device: device), signedPreKey: other ?? signed,
                identity: otherIdentity ?? identity)
        }
        #expect(try unwrap(wrapped) == secret)
        for index in wrapped.indices {
            var changed = wrapped
            changed[index] ^= 1
            #expect(throws: CryptoError.authenticationFailed) { try unwrap(changed) }
        }
        let stranger = try AgreementKey.generate(from: random)
        let neighbour = EpochWrap.Recipient(user: user, device: try DeviceID("abcdefg2"))
        let later = try EpochName(random.bytes(32))
        #expect(throws: CryptoError.authenticationFailed) { try unwrap(wrapped, epoch: later) }
        #expect(throws: CryptoError.authenticationFailed) { try unwrap(wrapped, recipient: neighbour) }
        #expect(throws: CryptoError.authenticationFailed) { try unwrap(wrapped, signed: stranger) }
        #expect(throws: CryptoError.authenticationFailed) { try unwrap(wrapped, identity: stranger) }
        #expect(throws: CryptoError.malformed) { try unwrap(wrapped + [0]) }
        #expect(throws: CryptoError.malformed) { try unwrap(Array(wrapped.dropLast())) }
    }

    @Test("a joiner's key opens for its device alone, from its sponsor alone, with its keys, and in its epoch")
    func joinerKeys() throws {
        let sponsor = try AgreementKey.generate(from: random)
        let signed = try AgreementKey.generate(from: random)
        let identity = try AgreementKey.generate(from: random)
        let recipient = EpochWrap.Recipient(user: user, device: device)
        func seal(from key: AgreementKey) throws -> [UInt8] {
            try EpochWrap.seal(
                secret, epoch: epoch, ephemeral: .generate(), from: key, for: recipient, signedPreKey: signed.publicKey,
                identity: identity.publicKey)
        }
        func open(
            _ sealed: [UInt8], epoch: EpochName? = nil, from other: AgreementKey? = nil,
            recipient: EpochWrap.Recipient? = nil, signed otherSigned: AgreementKey? = nil,
            identity otherIdentity: AgreementKey? = nil
        ) throws -> EpochSecret {
            try EpochWrap.open(
                sealed, epoch: epoch ?? self.epoch, from: (other ?? sponsor).publicKey,
                for: recipient ?? EpochWrap.Recipient(user: user, device: device), signedPreKey: otherSigned ?? signed,
                identity: otherIdentity ?? identity)
        }
        let sealed = try seal(from: sponsor)
        #expect(sealed.count == EpochKey.keyCount)
        #expect(try open(sealed) == secret)
        #expect(try seal(from: sponsor) != sealed)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: CryptoError.authenticationFailed, "byte \(index)") { try open(changed) }
        }
        let stranger = try AgreementKey.generate(from: random)
        let neighbour = EpochWrap.Recipient(user: user, device: try DeviceID("abcdefg2"))
        // Whoever knows all public keys, and even the identity of the joiner, but not the sponsor's secret.
        let forged = try seal(from: stranger)
        #expect(throws: CryptoError.authenticationFailed) { try open(forged) }
        let later = try EpochName(random.bytes(32))
        #expect(throws: CryptoError.authenticationFailed) { try open(sealed, epoch: later) }
        #expect(throws: CryptoError.authenticationFailed) { try open(sealed, from: stranger) }
        #expect(throws: CryptoError.authenticationFailed) { try open(sealed, recipient: neighbour) }
        #expect(throws: CryptoError.authenticationFailed) { try open(sealed, signed: stranger) }
        #expect(throws: CryptoError.authenticationFailed) { try open(sealed, identity: stranger) }
        #expect(throws: CryptoError.malformed) { try open(sealed + [0]) }
        #expect(throws: CryptoError.malformed) { try open(Array(sealed.dropLast())) }
    }

    @Test("a stored chain that was cut, extended or of another version is refused")
    func damagedStorage() throws {
        var author = chain()
        var reader = chain()
        _ = try send(&author, [0])
        _ = try read(&reader, try send(&author, [1]))
        let bytes = reader.encoded()
        #expect(try SenderChain(decoding: bytes) == reader)
        for count in 0..<bytes.count {
            #expect(throws: CryptoError.malformed) { try SenderChain(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: CryptoError.malformed) { try SenderChain(decoding: bytes + [0]) }
        #expect(throws: CryptoError.malformed) { try SenderChain(decoding: [2] + bytes.dropFirst()) }
    }
}
