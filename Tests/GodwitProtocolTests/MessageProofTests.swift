import GodwitProtocol
import Testing

/// What proves a message (D-3, D-5).
@Suite("Proofs of messages")
struct MessageProofTests {
    /// A message whose signature stands two places later in its chain.
    private static func covered(
        hashes: [[UInt8]] = [Sample.bytes(1, 32), Sample.bytes(2, 32)], _ change: (inout JSONObject) -> Void = { _ in }
    ) throws -> JSONObject {
        let message = try Message(Sample.channelMessage)
        var object = message.object.omitting(["signature"])
        MessageProof(of: message.hash, hashes: hashes, signature: message.proof.signature).write(to: &object)
        change(&object)
        return object
    }

    private func read(_ object: JSONObject) -> ProtocolError? {
        refusal { () throws(ProtocolError) in try Message(object) }
    }

    @Test("a covered message is read, hashes to the same, and says what is signed")
    func covered() throws {
        let own = try Message(Sample.channelMessage)
        let message = try Message(Self.covered())
        #expect(message.hash == own.hash && message.associatedData == own.associatedData)
        let second = MessageHash(linking: Sample.bytes(1, 32), after: own.hash)
        #expect(message.proof.signed == MessageHash(linking: Sample.bytes(2, 32), after: second))
        #expect(message.object["signed_by"]?.string == message.proof.signed.id.text)
        #expect(own.proof.signed == own.hash && own.proof.hashes.isEmpty)
        #expect(try Message(parsing: message.canonicalBytes) == message)
    }

    @Test("a cover has 1 to 64 hashes")
    func limits() throws {
        #expect(try Message(Self.covered(hashes: (0..<64).map { _ in Sample.bytes(3, 32) })).proof.hashes.count == 64)
        let long = try Self.covered { object in
            var cover = object["cover"]?.object ?? [:]
            cover["hashes"] = .array((0..<65).map { _ in .string(Base64.encode(Sample.bytes(3, 32))) })
            object["cover"] = .object(cover)
        }
        #expect(read(long)?.details["member"]?.string == "hashes")
    }

    @Test("what contradicts itself is refused by the member's name")
    func wrong() throws {
        let text = Sample.channelMessage["signature"]?.string ?? ""
        let hash = Base64.encode(Sample.bytes(1, 32))
        let changes: [(String, (inout JSONObject) -> Void)] = [
            ("signed_by", { $0["signed_by"] = "msg_aaaaaaaaaaaaaaaa" }),
            ("signed_by", { $0["signed_by"] = nil }),
            ("cover", { $0["cover"] = nil }),
            ("cover", { $0["cover"] = .null }),
            ("cover", { $0 = $0.omitting(["signed_by"]).setting("signature", .string(text)) }),
            ("signed_by", { $0["signature"] = .string(text) }),
            ("hashes", { $0["cover"] = ["hashes": ["AAAA"], "signature": "x"] }),
            ("hashes", { $0["cover"] = ["hashes": [], "signature": "x"] }),
            ("signature", { $0["cover"] = ["hashes": [.string(hash)], "signature": "x"] }),
            ("cover", { $0["cover"] = ["hashes": [], "signature": "x", "more": 1] }),
        ]
        for (index, (member, change)) in changes.enumerated() {
            #expect(read(try Self.covered(change))?.details["member"]?.string == member, "case \(index)")
        }
    }

    @Test("the cover does not count towards 65,535 bytes, all else does")
    func size() throws {
        let hashes = (0..<64).map { _ in Sample.bytes(3, 32) }
        func padded(to size: Int) throws -> JSONObject {
            try Self.covered(hashes: hashes) { object in
                let rest = object.omitting(["cover"]).setting("filler", "").canonicalBytes().count
                object["filler"] = .string(String(repeating: "x", count: size - rest))
            }
        }
        let largest = try padded(to: Message.bytesMax)
        #expect(largest.canonicalBytes().count > Message.bytesMax + 64 * 44)
        // It was altered, so its id is wrong; but that is looked at after the size.
        #expect(read(largest)?.details["member"]?.string == "id")
        #expect(read(try padded(to: Message.bytesMax + 1))?.code == .messageTooLarge)
    }
}
