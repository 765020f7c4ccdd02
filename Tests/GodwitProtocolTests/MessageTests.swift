import GodwitProtocol
import Testing

/// Messages (004 §6, MSG rows; D-1 to D-4).
@Suite("Messages")
struct MessageTests {
    private func read(_ object: JSONObject) -> ProtocolError? {
        refusal { () throws(ProtocolError) in try Message(object) }
    }

    /// MSG-01, MSG-16: a member that is missing or of another type.
    static let wrong: [WrongMember] =
        [
            "id", "type", "timestamp", "author", "device", "channel", "seq", "prev", "content", "encryption",
            "metadata",
            "signature", "content.ciphertext", "encryption.algorithm", "encryption.key_id", "encryption.nonce",
            "encryption.header", "epoch", "channel_node",
        ].flatMap { [WrongMember($0, nil), WrongMember($0, true)] }
        + [
            WrongMember("type", "Text"), WrongMember("type", "image"), WrongMember("author", "alice"),
            WrongMember("author", .string("@" + Sample.alice)), WrongMember("device", "ABCDEFGH"),
            WrongMember("channel", "general"), WrongMember("channel", "#General"), WrongMember("seq", -1),
            WrongMember("seq", "0"), WrongMember("seq", .double(0.5)), WrongMember("prev", "AAAA"),
            WrongMember("prev", "x"),
            WrongMember("prev", Sample.hash(1)),
            WrongMember("content.ciphertext", "AAA"), WrongMember("encryption.algorithm", "aes-256-gcm"),
            WrongMember("encryption.key_id", ""),
            WrongMember("encryption.key_id", .string(String(repeating: "k", count: 65))),
            WrongMember("encryption.nonce", .string(Base64.encode(Sample.bytes(1, 11)))),
            WrongMember("encryption.nonce", .string(Base64.encode(Sample.bytes(1, 13)))),
            WrongMember("encryption.header", .string(Base64.encode(Sample.bytes(1, 2049)))),
            WrongMember("epoch", .string(Base64.encode(Sample.bytes(1, 31)))), WrongMember("channel_node", "A7F3K9M2"),
            WrongMember("timestamp", "2025-09-06T10:30:00Z"), WrongMember("timestamp", "2025-09-06T12:30:00.123+02:00"),
            WrongMember("timestamp", "2025-09-06T10:30:60.000Z"), WrongMember("lifetime", 999),
            WrongMember("lifetime", 31_536_000_001), WrongMember("lifetime", "1000"),
            WrongMember("id", "msg_0000000000000000"),
            WrongMember("signature", .string("ed25519:" + Base64.encode(Sample.bytes(1, 63)))),
            WrongMember("signature", .string(Base64.encode(Sample.bytes(1, 64)))),
        ]

    @Test("a member that is missing or wrong is named (MSG-01, MSG-05, MSG-06, MSG-16)", arguments: wrong)
    func members(wrong: WrongMember) {
        let changed = wrong.applied(to: Sample.channelMessage)
        let object = wrong.path == ["id"] || changed["content"]?.object == nil ? changed : Sample.identified(changed)
        #expect(wrong.isNamed(by: read(object)))
    }

    @Test("both samples are read, with every member in its place")
    func samples() throws {
        let direct = try Message(Sample.directMessage)
        #expect(direct.type == .text && direct.sequence == 0 && direct.previous == nil)
        #expect(direct.timestamp.description == Sample.time)
        #expect(direct.author.text == Sample.alice && direct.address.text == "@" + Sample.bob)
        #expect(direct.channelNode == nil && direct.epoch == nil)
        #expect(direct.ciphertext == Sample.bytes(5, 40))
        #expect(direct.encryption.object == Sample.directMessage["encryption"]?.object)
        #expect(direct.lifetime == 2_592_000_000)
        #expect(direct.conversation == .between(direct.author, try UserID(Sample.bob)))
        let channel = try Message(parsing: Sample.channelMessage.canonicalBytes())
        #expect(channel.channelNode?.text == "a7f3k9m2" && channel.epoch == Sample.bytes(8))
        #expect(channel.conversation.text == "#general:a7f3k9m2")
        #expect(channel.canonicalBytes == Sample.channelMessage.canonicalBytes())
    }

    @Test("all six types are read, each in its class (MSG-08 to MSG-12, D-20)")
    func types() throws {
        #expect(
            Set(MessageType.allCases.map(\.rawValue)) == [
                "text", "media", "system", "voice", "function_call", "bot_message",
            ])
        let classes: [String: PriorityClass] = ["voice": .voice, "media": .document]
        for type in MessageType.allCases {
            let direct = try Message(Sample.identified(Sample.directMessage.setting("type", .string(type.rawValue))))
            #expect(direct.type == type && direct.priority == classes[type.rawValue] ?? .directText)
            let channel = try Message(Sample.identified(Sample.channelMessage.setting("type", .string(type.rawValue))))
            #expect(channel.priority == classes[type.rawValue] ?? .channelText)
        }
    }

    @Test("65,535 bytes without recipients are accepted, 65,536 are 2001 with both sizes (MSG-17, ERR-03, G-116)")
    func size() throws {
        let largest = Sample.identified(Sample.channelMessage.padded(to: 65_535))
        #expect(try Message(largest).canonicalBytes.count == 65_535)
        let error = read(Sample.identified(Sample.channelMessage.padded(to: 65_536)))
        #expect(error?.code == .messageTooLarge)
        #expect(error?.details == ["max_size": 65_536, "actual_size": 65_536])
    }

    @Test("recipients do not count towards the 65,535 bytes (D-13)")
    func sizeWithRecipients() throws {
        let largest = Sample.identified(Sample.directMessage.padded(to: 65_535))
        let recipients = BodyWrap.list([Sample.wrap(1), Sample.wrap(2, user: Sample.alice)])
        #expect(try Message(largest.setting("recipients", recipients)).hash == Message(largest).hash)
    }

    @Test("a direct message has neither epoch nor channel_node", arguments: ["epoch", "channel_node"])
    func directOnly(key: String) {
        let object = Sample.identified(Sample.directMessage.setting(key, Sample.channelMessage[key] ?? nil))
        #expect(WrongMember(key, nil).isNamed(by: read(object)))
    }

    @Test("the lifetime runs from a second to a year")
    func lifetime() throws {
        for value: Int64 in [1000, 31_536_000_000] {
            #expect(
                try Message(Sample.identified(Sample.directMessage.setting("lifetime", .integer(value)))).lifetime
                    == value)
        }
    }

    @Test("a header may have 2,048 bytes and a key id 64")
    func encryptionLimits() throws {
        let header = WrongMember("encryption.header", .string(Base64.encode(Sample.bytes(1, 2048))))
        let keyID = WrongMember("encryption.key_id", .string(String(repeating: "k", count: 64)))
        let message = try Message(Sample.identified(keyID.applied(to: header.applied(to: Sample.directMessage))))
        #expect(message.encryption.header.count == 2048 && message.encryption.keyID.count == 64)
    }

    @Test("members that this version does not know are kept and covered (D-2)")
    func unknownMembers() throws {
        let object = Sample.identified(Sample.directMessage.setting("x_future", ["deep": [1, nil, "ü"]]))
        let message = try Message(object)
        #expect(message.object == object)
        #expect(message.hash != (try Message(Sample.directMessage)).hash)
        #expect(String(decoding: message.associatedData, as: UTF8.self).contains("x_future"))
    }
}
