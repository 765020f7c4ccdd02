import GodwitProtocol
import Testing

/// Identity files (004 §4, ID rows).
@Suite("Identity files")
struct IdentityFileTests {
    private func read(_ object: JSONObject) -> ProtocolError? {
        refusal { () throws(ProtocolError) in try IdentityFile(object) }
    }

    @Test("the sample is read and kept whole, with preferences unchanged (ID-01, ID-12, ID-15, ID-25)")
    func sample() throws {
        let object = Sample.identityFile.setting("x_future", [1, "two"])
        let file = try IdentityFile(parsing: object.canonicalBytes())
        #expect(file.object == object)
        #expect(file.userID.text == Sample.alice && file.publicKey == Sample.bytes(1))
        #expect(file.displayName == "Alice" && file.endpoint == "wss://chat.example.com")
        #expect(file.accountType == .standard && file.created.description == "2025-09-06T10:30:00.000Z")
        #expect(file.identity == object["identity"]?.object)
    }

    static let wrong: [WrongMember] =
        [
            "version", "identity", "home_node", "encrypted_data", "signature", "identity.full_id",
            "identity.home_node_id",
            "identity.username", "identity.public_key", "identity.created", "home_node.endpoint",
        ].flatMap { [WrongMember($0, nil), WrongMember($0, 1)] }
        + [
            "identity.display_name", "identity.bio", "identity.avatar", "identity.pronouns", "identity.metadata",
            "identity.metadata.timezone", "identity.metadata.languages", "preferences", "preferences.aliases",
            "preferences.blocked_users", "home_node.id", "home_node.name", "home_node.joined", "account_type",
            "file_signature",
        ].map { WrongMember($0, 1) }
        + [
            WrongMember("identity.full_id", "alice"), WrongMember("identity.full_id", "a7f3k9m2.Alice"),  // ID-03
            WrongMember("identity.home_node_id", "b8g4l0n3"), WrongMember("identity.home_node_id", "a7f3k9m"),  // ID-04
            WrongMember("home_node.id", "b8g4l0n3"), WrongMember("identity.username", "bob-stone"),  // ID-04, ID-05
            WrongMember("identity.public_key", .string(Base64.encode(Sample.bytes(1)))),  // ID-06
            WrongMember("identity.public_key", .string("ed25519:" + Base64.encode(Sample.bytes(1, 31)))),
            WrongMember("identity.public_key", .string("ed25519:" + Base64.encode(Sample.bytes(1, 51)))),
            WrongMember("identity.created", "yesterday"),  // ID-07
            WrongMember("home_node.joined", "2025-09-06"),  // ID-09
            WrongMember("home_node.endpoint", "https://chat.example.com"),  // ID-08
            WrongMember("home_node.endpoint", .string("wss://" + String(repeating: "x", count: 2043))),
            WrongMember("encrypted_data", "AAA"), WrongMember("signature", "ed25519:AAAA"),  // ID-10, ID-11
            WrongMember("account_type", "premium"), WrongMember("file_signature", "ed25519:AAAA"),  // ID-19
            WrongMember("identity.avatar", "https://example.com/a.png"),
            WrongMember("identity.avatar", "data:text/plain;base64,AA"),
            WrongMember("identity.avatar", "data:image/png,AAAA"),
            WrongMember("identity.metadata.languages", ["en", 1]),
            WrongMember("preferences.blocked_users", [1]),
        ]

    @Test("a member that is missing or wrong is named (ID-01 to ID-19)", arguments: wrong)
    func members(wrong: WrongMember) { #expect(wrong.isNamed(by: read(wrong.applied(to: Sample.identityFile)))) }

    @Test("names in preferences are checked (ID-17, ID-18)")
    func preferences() {
        for (path, value) in [
            ("preferences.blocked_users", ["bob"]), ("preferences.aliases.users", ["bob": "bob"]),
            ("preferences.aliases.channels", ["dev": "development"]), ("preferences.aliases.channels", ["dev": 1]),
        ] as [(String, JSONValue)] {
            let object = WrongMember(path, value).applied(to: Sample.identityFile)
            #expect(read(object)?.code == .invalidMessageFormat, "\(path)")
        }
    }

    @Test("any other version is 9002 (ID-02)", arguments: ["0.9", "1", "1.0.0", "1.1", "2.0", ""])
    func versions(version: String) {
        #expect(read(Sample.identityFile.setting("version", .string(version)))?.code == .protocolVersionMismatch)
    }

    @Test("optional members may be absent or null (ID-12, ID-19)")
    func minimal() throws {
        var object = Sample.identityFile
        object["preferences"] = nil
        object["account_type"] = nil
        for key in ["display_name", "bio", "avatar", "pronouns", "metadata"] {
            object = WrongMember("identity." + key, nil).applied(to: object)
        }
        for key in ["id", "name", "joined"] { object = WrongMember("home_node." + key, .null).applied(to: object) }
        let file = try IdentityFile(object)
        #expect(file.displayName == nil && file.accountType == .standard)
        for type in AccountType.allCases {
            #expect(try IdentityFile(object.setting("account_type", .string(type.rawValue))).accountType == type)
        }
    }

    @Test("a bio has at most 500 characters, not bytes (ID-14)")
    func bio() {
        for character in ["x", "é", "😀"] {
            let longest = WrongMember("identity.bio", .string(String(repeating: character, count: 500)))
            #expect(read(longest.applied(to: Sample.identityFile)) == nil)
            let tooLong = WrongMember("identity.bio", .string(String(repeating: character, count: 501)))
            #expect(tooLong.isNamed(by: read(tooLong.applied(to: Sample.identityFile))))
        }
    }

    @Test("an avatar has at most 51,200 bytes (ID-13)")
    func avatar() {
        func avatar(_ size: Int) -> WrongMember {
            let head = "data:image/png;base64,"
            return WrongMember("identity.avatar", .string(head + String(repeating: "A", count: size - head.utf8.count)))
        }
        #expect(read(avatar(51_200).applied(to: Sample.identityFile)) == nil)
        #expect(avatar(51_201).isNamed(by: read(avatar(51_201).applied(to: Sample.identityFile))))
    }

    @Test("a clear WebSocket and an endpoint of 2,048 bytes are accepted (ID-08)")
    func endpoints() {
        for endpoint in ["ws://127.0.0.1:8080", "wss://" + String(repeating: "x", count: 2042)] {
            #expect(read(WrongMember("home_node.endpoint", .string(endpoint)).applied(to: Sample.identityFile)) == nil)
        }
    }

    @Test("a key in OpenSSH's form is read as the same key (G-22)")
    func openSSH() throws {
        let blob: [UInt8] = [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32] + Sample.bytes(1)
        let text = "ed25519:" + Base64.encode(blob)
        #expect(text.hasPrefix("ed25519:AAAAC3NzaC1lZDI1NTE5AAAA"))
        #expect(try PublicKeyText.ed25519(text) == Sample.bytes(1))
        #expect(PublicKeyText.text(ed25519: Sample.bytes(1)) == Sample.ed25519(1).string)
        var damaged = blob
        damaged[4] ^= 1
        for bytes in [damaged, blob + [0], Array(blob.dropLast())] {
            #expect(
                refusal { () throws(ProtocolError) in try PublicKeyText.ed25519("ed25519:" + Base64.encode(bytes)) }
                    != nil)
        }
    }

    @Test("a file of 262,144 bytes is read, one byte more is 2001")
    func size() throws {
        #expect(
            try IdentityFile(parsing: Sample.identityFile.padded(to: 262_144).canonicalBytes()).userID.text
                == Sample.alice)
        let error = refusal { () throws(ProtocolError) in
            try IdentityFile(parsing: Sample.identityFile.padded(to: 262_145).canonicalBytes())
        }
        #expect(error?.code == .messageTooLarge)
    }
}
