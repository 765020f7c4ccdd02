import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// Godwit against implementations that share no code with it (Tests/Interop). They need the Python of `make deps`.
@Suite(.serialized) struct InteropTests {
    let random = SeededRandom(41)

    @Test("Noise_K messages go both ways with noiseprotocol (D-15)")
    func noise() throws {
        let python = try PythonPeer("noise_k.py")
        for round in 0..<60 {
            let ours = try AgreementKey.generate(from: random)
            let theirs = try AgreementKey.generate(from: random)
            let prologue = random.bytes(random.below(200))
            let payload = random.bytes(round == 0 ? NoiseK.payloadMax : random.below(2_000))
            func members(_ own: AgreementKey, _ remote: AgreementKey) -> JSONObject {
                [
                    "own": .base64(own.secret.copyBytes()), "remote": .base64(remote.publicKey.bytes),
                    "prologue": .base64(prologue),
                ]
            }
            let message = try NoiseK.seal(
                payload, sender: ours, receiver: theirs.publicKey, prologue: prologue, from: random)
            let request = members(theirs, ours).setting("message", .base64(message))
            #expect(try python.bytes("payload", of: "open", request) == payload)
            #expect(try python.ask("open", request.setting("prologue", .base64(prologue + [0])))["error"] != nil)

            let answer = try python.bytes(
                "message", of: "seal", members(theirs, ours).setting("payload", .base64(payload)))
            #expect(try NoiseK.open(answer, receiver: ours, sender: theirs.publicKey, prologue: prologue) == payload)
        }
    }

    @Test("X3DH comes to the same secret with x3dh in both roles (E2E-03)", arguments: [true, false])
    func x3dh(_ oneTime: Bool) throws {
        let python = try PythonPeer("x3dh_agreement.py")
        let primitives = try PythonPeer("primitives.py")
        for _ in 0..<20 {
            let ours = try AgreementKey.generate(from: random)
            let signed = try AgreementKey.generate(from: random)
            let single = oneTime ? try AgreementKey.generate(from: random) : nil
            let state = try python.ask(
                "create",
                [
                    "identity": .base64(random.bytes(32)), "one_time": oneTime ? 1 : 0,
                ])
            func key(_ value: JSONValue?) throws -> AgreementPublicKey {
                try AgreementPublicKey(try #require(value?.string.flatMap(Base64.decode)))
            }
            let bundle = X3DH.Bundle(
                identity: try key(state["identity"]), signedPreKey: try key(state["signed_pre_key"]),
                oneTimePreKey: try state["pre_keys"]?.array?.first.map { try key($0) })
            #expect((bundle.oneTimePreKey != nil) == oneTime)

            let ephemeral = try AgreementKey.generate(from: random)
            let mine = try X3DH.initiate(identity: ours, ephemeral: ephemeral, bundle: bundle)
            let responded = try python.ask(
                "respond",
                [
                    "identity": .base64(ours.publicKey.bytes), "ephemeral": .base64(ephemeral.publicKey.bytes),
                    "signed_pre_key": .base64(bundle.signedPreKey.bytes),
                    "pre_key": bundle.oneTimePreKey.map { .base64($0.bytes) } ?? nil,
                ])
            #expect(responded["secret"] == .base64(mine.sharedKey.copyBytes()))
            #expect(responded["associated"] == .base64(mine.associatedData))

            let initiated = try python.ask(
                "initiate",
                [
                    "identity": .base64(ours.publicKey.bytes), "identity_private": .base64(ours.secret.copyBytes()),
                    "signed_pre_key": .base64(signed.publicKey.bytes),
                    "pre_keys": .array(single.map { [.base64($0.publicKey.bytes)] } ?? []),
                ])
            let answer = try X3DH.respond(
                identity: ours, signedPreKey: signed, oneTimePreKey: single, initiator: bundle.identity,
                ephemeral: try key(initiated["ephemeral"]))
            #expect(initiated["secret"] == .base64(answer.sharedKey.copyBytes()))
            #expect(initiated["associated"] == .base64(answer.associatedData))
            let named = try primitives.ask("session_id", ["secret": .base64(answer.sharedKey.copyBytes())])
            #expect(named["id"]?.string == answer.sessionID)
        }
    }

    @Test(
        "thousands of ratchet messages cross with doubleratchet out of order, some lost, some twice (E2E-04)",
        arguments: [true, false])
    func ratchet(_ weInitiate: Bool) throws {
        let signed = try AgreementKey.generate(from: random)
        let agreement = X3DH.Agreement(
            sharedKey: .random(32, from: random), associatedData: random.bytes(64))
        let python = try RatchetPeer(
            agreement, key: weInitiate ? signed.secret.copyBytes() : signed.publicKey.bytes)
        var ours =
            weInitiate
            ? try RatchetState(initiating: agreement, remote: signed.publicKey, from: random)
            : RatchetState(responding: agreement, signedPreKey: signed)
        var toUs: [(RatchetMessage, [UInt8])] = []
        var toThem: [(RatchetMessage, [UInt8])] = []
        var theyCanSend = !weInitiate
        var crossed = 0
        while crossed < 3_000 {
            let text = random.bytes(random.below(80))
            switch random.below(4) {
            case 2 where !toThem.isEmpty && random.below(40) == 0: toThem.remove(at: random.below(toThem.count))
            case 3 where !toUs.isEmpty && random.below(40) == 0: toUs.remove(at: random.below(toUs.count))
            case 0 where ours.canSend && toThem.count < 30: toThem.append((try ours.send(text), text))
            case 1 where theyCanSend && toUs.count < 30: toUs.append((try python.encrypt(text, random.bytes(4)), text))
            case 2 where !toThem.isEmpty:
                let (message, text) = toThem.remove(at: random.below(toThem.count))
                #expect(try python.decrypt(message) == text)
                theyCanSend = true
                crossed += 1
                if random.below(20) == 0 { #expect(throws: PythonPeer.Failure.self) { try python.decrypt(message) } }
            case 3 where !toUs.isEmpty:
                let (message, text) = toUs.remove(at: random.below(toUs.count))
                // A message that waited through more than five chains is lost by our bound; theirs is wider.
                do {
                    #expect(try ours.read(message, from: random) == text)
                    crossed += 1
                    if random.below(20) == 0 {
                        #expect(throws: CryptoError.self) { try ours.read(message, from: random) }
                    }
                } catch CryptoError.authenticationFailed, CryptoError.keyGone {
                    python.lost += 1
                }
            default: continue
            }
        }
        #expect(python.lost < crossed / 4)
    }
}

/// `ratchet.py` as the other end of a session.
private final class RatchetPeer {
    private let python: PythonPeer
    var lost = 0

    init(_ agreement: X3DH.Agreement, key: [UInt8]) throws {
        python = try PythonPeer("ratchet.py")
        _ = try python.ask(
            "start",
            [
                "secret": .base64(agreement.sharedKey.copyBytes()), "associated": .base64(agreement.associatedData),
                "key": .base64(key),
            ])
    }

    func encrypt(_ text: [UInt8], _ salt: [UInt8]) throws -> RatchetMessage {
        let answer = try python.ask("encrypt", ["text": .base64(text), "salt": .base64(salt)])
        func bytes(_ member: String) throws -> [UInt8] {
            try #require(answer[member]?.string.flatMap(Base64.decode), "\(answer.canonicalText)")
        }
        return RatchetMessage(
            header: try SessionHeader(try bytes("header")).ratchet, nonce: try MessageNonce(try bytes("nonce")),
            ciphertext: try bytes("ciphertext"))
    }

    func decrypt(_ message: RatchetMessage) throws -> [UInt8] {
        try python.bytes(
            "text", of: "decrypt",
            [
                "header": .base64(SessionHeader(ratchet: message.header).bytes), "nonce": .base64(message.nonce.bytes),
                "ciphertext": .base64(message.ciphertext),
            ])
    }
}
