import GodwitProtocol
import Testing

/// What hashes cover (D-2, D-3, D-4).
@Suite("Message hashes")
struct MessageHashTests {
    @Test("SHA-256 gives the digests of FIPS 180-4")
    func digests() {
        #expect(
            Hex.encode(SHA256Digest.of(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Hex.encode(SHA256Digest.of([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(SHA256Digest.of(Array("a".utf8), [], Array("bc".utf8)) == SHA256Digest.of(Array("abc".utf8)))
    }

    @Test("a message hash links its predecessor, or 32 zero bytes, to the body hash")
    func links() throws {
        let body = Sample.bytes(1)
        let first = MessageHash(linking: body, after: nil)
        let prefix = Array("DCP1:link".utf8) + [0]
        #expect(first.bytes == SHA256Digest.of(prefix + [UInt8](repeating: 0, count: 32) + body))
        #expect(MessageHash(linking: body, after: first).bytes == SHA256Digest.of(prefix + first.bytes + body))
        #expect(MessageHash(base64: first.base64) == first)
        #expect(MessageHash(Sample.bytes(1, 31)) == nil && MessageHash(Sample.bytes(1, 33)) == nil)
        #expect(MessageHash(base64: "AAAA") == nil)
    }

    @Test("an id is msg_ and base32 of the first 10 bytes (MSG-02, D-4)")
    func ids() throws {
        let hash = try #require(MessageHash([UInt8](repeating: 0xFF, count: 32)))
        #expect(hash.id.text == "msg_7777777777777777")
        let counted = try #require(MessageHash(Array(0..<32)))
        #expect(counted.id.text == "msg_" + Base32.encode(Array(0..<10)))
        #expect(try MessageID("msg_a1b2c3d4e5f6g7h8").text == "msg_a1b2c3d4e5f6g7h8")
        for text in [
            "", "msg_", "msg_a1b2c3d4e5f6g7h", "msg_a1b2c3d4e5f6g7h89", "MSG_a1b2c3d4e5f6g7h8", "msg_A1b2c3d4e5f6g7h8",
        ] {
            #expect(refusal { () throws(ProtocolError) in try MessageID(text) } != nil)
        }
    }

    @Test("the body leaves out id, signature, recipients and prev; the associated data leaves out content too")
    func coverage() {
        let object: JSONObject = [
            "id": 1, "signature": 2, "recipients": 3, "prev": 4, "content": ["ciphertext": ""], "b": 6, "a": 7,
        ]
        #expect(Message.body(of: object) == Array(#"{"a":7,"b":6,"content":{"ciphertext":""}}"#.utf8))
        #expect(Message.associatedData(of: object) == Array(#"{"a":7,"b":6}"#.utf8))
    }

    @Test("changing any signed member changes the hash; recipients, id and signature do not")
    func sensitivity() throws {
        let base = Sample.channelMessage
        let changes: [(String, JSONValue)] = [
            ("type", "media"), ("timestamp", "2025-09-06T10:30:00.124Z"), ("author", .string(Sample.bob)),
            ("device", Sample.device(2)), ("channel", "#general/x"), ("channel_node", "b8g4l0n3"),
            ("epoch", Sample.hash(9)),
            ("content", ["ciphertext": "AAAA"]), ("lifetime", 1000), ("metadata", ["edited": true]), ("new", nil),
        ]
        let hash = try Message(base).hash
        var seen: Set<MessageHash> = [hash]
        for (key, value) in changes {
            let message = try Message(Sample.identified(base.setting(key, value)))
            #expect(seen.insert(message.hash).inserted, "\(key)")
        }
        for key in ["algorithm", "key_id", "nonce", "header"] where key != "algorithm" {
            let value: JSONValue = .string(key == "nonce" ? Base64.encode(Sample.bytes(3, 12)) : "AAAA")
            let changed = WrongMember("encryption." + key, value).applied(to: base)
            #expect(seen.insert(try Message(Sample.identified(changed)).hash).inserted, "\(key)")
        }
        let linked = base.setting("seq", 1).setting("prev", .string(hash.base64))
        #expect(seen.insert(try Message(Sample.identified(linked)).hash).inserted)
        let other = try #require(MessageHash(Sample.bytes(77)))
        let relinked = linked.setting("prev", .string(other.base64))
        #expect(seen.insert(try Message(Sample.identified(relinked)).hash).inserted)

        let direct = Sample.directMessage
        #expect(
            try Message(direct.setting("recipients", BodyWrap.list([Sample.wrap(1)]))).hash == Message(direct).hash)
        let signature = JSONValue.string("ed25519:" + Base64.encode(Sample.bytes(9, 64)))
        #expect(try Message(base.setting("signature", signature)).hash == hash)
    }

    @Test("a chain of 200 messages holds, and a change in the middle breaks every later link (D-3)")
    func chain() throws {
        func chain(tampering tampered: Int?) throws -> [MessageHash] {
            var hashes: [MessageHash] = []
            for position in 0..<200 {
                let object = Sample.directMessage
                    .setting("seq", .integer(Int64(position)))
                    .setting("prev", hashes.last.map { .string($0.base64) } ?? .null)
                    .setting("metadata", position == tampered ? ["x": 1] : [:])
                let message = try Message(Sample.identified(object))
                #expect(message.previous == hashes.last && message.sequence == Int64(position))
                hashes.append(message.hash)
            }
            return hashes
        }
        let honest = try chain(tampering: nil)
        #expect(Set(honest).count == 200)
        let tampered = try chain(tampering: 100)
        #expect(honest[..<100] == tampered[..<100])
        #expect(zip(honest[100...], tampered[100...]).allSatisfy { $0 != $1 })
    }

    @Test("recipients can be taken away and put back on the way (D-13)")
    func recipients() throws {
        let message = try Message(Sample.directMessage.setting("recipients", BodyWrap.list([Sample.wrap(1)])))
        let stripped = message.replacingRecipients([])
        #expect(stripped.object["recipients"] == nil && stripped.hash == message.hash)
        #expect(stripped.replacingRecipients([Sample.wrap(1)]) == message)
    }
}
