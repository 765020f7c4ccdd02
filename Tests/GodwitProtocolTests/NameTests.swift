import GodwitProtocol
import Testing

/// Names and addresses (004 §2, §9.1, §9.2; CH-01 to CH-05, CH-09, G-36, G-48, G-51).
@Suite("Names")
struct NameTests {
    private func isChannel(_ text: String) -> Bool { (try? ChannelName(text)) != nil }

    @Test(
        "channel names of the specification are accepted (CH-05)",
        arguments: [
            "#general", "#development/rust-help", "#events/2025/conference-planning", "#a", "#-", "#_", "#0/1/2/3/4",
        ])
    func channels(text: String) throws { #expect(try ChannelName(text).text == text) }

    @Test(
        "other channel names are refused (CH-01, CH-03, G-51)",
        arguments: [
            "", "#", "general", "##general", "#General", "#gen eral", "#général", "#a//b", "#/a", "#a/", "#a/b/",
            "@general",
            "#a.b", "#a#b", "#a:b", "#a\n", " #a", "#ａ", "#a\u{301}", "#\u{0}",
        ])
    func wrongChannels(text: String) {
        let error = refusal { () throws(ProtocolError) in try ChannelName(text) }
        #expect(error?.code == .invalidMessageFormat)
        #expect(error?.details.isEmpty == true)
    }

    @Test("100 characters and 5 levels are accepted, 101 and 6 are refused (CH-04)")
    func channelLimits() {
        #expect(isChannel("#" + String(repeating: "x", count: 99)))
        #expect(!isChannel("#" + String(repeating: "x", count: 100)))
        #expect(isChannel("#a/b/c/d/e"))
        #expect(!isChannel("#a/b/c/d/e/f"))
    }

    @Test("a sub-channel knows its parent and its depth (CH-02)")
    func parents() throws {
        let name = try ChannelName("#events/2025/talks")
        #expect(name.depth == 3)
        #expect(name.parent?.text == "#events/2025")
        #expect(name.parent?.parent?.text == "#events")
        #expect(name.parent?.parent?.parent == nil)
    }

    @Test("a node id has exactly 8 of a-z and 0-9")
    func nodes() throws {
        #expect(try NodeID("a7f3k9m2").text == "a7f3k9m2")
        for text in ["", "a7f3k9m", "a7f3k9m2x", "A7f3k9m2", "a7f3k9m-", "a7f3k9mé", "a7f3k9 2"] {
            #expect(refusal { () throws(ProtocolError) in try NodeID(text) } != nil)
        }
    }

    @Test("a device id has exactly 8 of a-z and 2-7")
    func devices() throws {
        #expect(try DeviceID("abcdxyz7").text == "abcdxyz7")
        for text in ["", "abcdxyz", "abcdxyz77", "abcdxyz1", "abcdxyz8", "abcdxyz0", "Abcdxyz7"] {
            #expect(refusal { () throws(ProtocolError) in try DeviceID(text) } != nil)
        }
    }

    @Test("a username has 3 to 64 of a-z, 0-9 and hyphen, no hyphen at either end (G-36)")
    func usernames() throws {
        for text in ["abc", "a-b", "a--b", "123", String(repeating: "a", count: 64)] {
            #expect(try Username(text).text == text)
        }
        for text in [
            "", "a", "ab", String(repeating: "a", count: 65), "-ab", "ab-", "---", "Abc", "a_b", "a.b", "a b", "abé",
            "abc\n",
        ] {
            #expect(refusal { () throws(ProtocolError) in try Username(text) } != nil)
        }
    }

    @Test(
        "nicknames fold to usernames",
        arguments: [
            ("Alice", "alice"), ("Old Man Sea", "old-man-sea"), ("__x__y__", "x-y"), ("ab", "user-ab"),
            ("a-", "user-a"),
            ("", "user"), ("!!!", "user"), ("日本", "user"), ("José", "jos"), ("-a-b-c-", "a-b-c"),
            (String(repeating: "a", count: 70), String(repeating: "a", count: 64)),
            (String(repeating: "a", count: 63) + " b", String(repeating: "a", count: 63)),
        ])
    func folding(nickname: String, name: String) { #expect(Username(folding: nickname).text == name) }

    @Test("whatever is folded is a username, and folding it again changes nothing")
    func foldingAnything() throws {
        var random = SeededRandom(seed: 36)
        let pool = Array("aZ09-_ .éß日😀\u{0}\n")
        for _ in 0..<5_000 {
            let nickname = String(
                (0..<Int.random(in: 0...90, using: &random)).map { _ in
                    pool[Int.random(in: 0..<pool.count, using: &random)]
                })
            let folded = Username(folding: nickname)
            #expect(try Username(folded.text) == folded)
            #expect(Username(folding: folded.text) == folded)
        }
    }

    @Test("a user id is a node id, a dot and a username")
    func users() throws {
        let user = try UserID(Sample.alice)
        #expect(user.node.text == "a7f3k9m2" && user.username.text == "alice-river-7x9k")
        #expect(user.text == Sample.alice)
        for text in [
            "", "a7f3k9m2", "a7f3k9m2.", ".alice", "a7f3k9m2.al", "a7f3k9m2.alice.x", "a7f3k9m2alice", "x.alice",
        ] {
            #expect(refusal { () throws(ProtocolError) in try UserID(text) } != nil)
        }
    }

    @Test("an address is a channel or a user (CH-09, MSG-04)")
    func addresses() throws {
        #expect(try Address("#general") == .channel(ChannelName("#general")))
        #expect(try Address("@" + Sample.alice) == .direct(DirectAddress(UserID(Sample.alice))))
        #expect(try Address("@" + Sample.alice).text == "@" + Sample.alice)
        for text in ["", "general", Sample.alice, "@", "@alice", "@#general", "!general"] {
            #expect(refusal { () throws(ProtocolError) in try Address(text) } != nil)
        }
    }

    @Test("a party is a node or a device of a user")
    func parties() throws {
        for text in ["a7f3k9m2", "a7f3k9m2.alice/abcdefgh"] { #expect(try Party(text).text == text) }
        #expect(try Party("a7f3k9m2") == .node(NodeID("a7f3k9m2")))
        for text in ["", "/", "a7f3k9m2/abcdefgh", "a7f3k9m2.alice", "a7f3k9m2.alice/", "a7f3k9m2.alice/abcdefgh/x"] {
            #expect(refusal { () throws(ProtocolError) in try Party(text) } != nil)
        }
    }

    @Test("a conversation of two is the same from both sides (G-48)")
    func conversations() throws {
        let (alice, bob) = (try UserID(Sample.alice), try UserID(Sample.bob))
        #expect(Conversation.between(alice, bob) == Conversation.between(bob, alice))
        #expect(Conversation.between(bob, alice).text == "@\(Sample.alice)+\(Sample.bob)")
    }

    @Test("channels of one name on two nodes are two channels (D-18)")
    func channelIDs() throws {
        let here = try NodeID("a7f3k9m2")
        let general = try ChannelID("#general", defaultNode: here)
        #expect(general.text == "#general:a7f3k9m2")
        #expect(try ChannelID("#general:b8g4l0n3", defaultNode: here) != general)
        #expect(try ChannelID(general.text, defaultNode: NodeID("b8g4l0n3")) == general)
        for text in ["general", "#general:", "#general:x", "#:a7f3k9m2", "#general:a7f3k9m2:a7f3k9m2"] {
            #expect(refusal { () throws(ProtocolError) in try ChannelID(text, defaultNode: here) } != nil)
        }
    }
}

/// 004 §9.3.
@Suite("Roles")
struct RoleTests {
    /// Who may: owner, admin, moderator, member, restricted.
    static let matrix: [(ChannelAction, [Bool])] = [
        (.sendMessages, [true, true, true, true, false]),  // CH-16
        (.deleteOwnMessages, [true, true, true, true, false]),  // CH-17
        (.deleteOthersMessages, [true, true, true, false, false]),  // CH-18
        (.inviteUsers, [true, true, true, true, false]),  // CH-19
        (.banUsers, [true, true, true, false, false]),  // CH-20
        (.changeSettings, [true, true, false, false, false]),  // CH-21
        (.deleteChannel, [true, false, false, false, false]),  // CH-22
    ]

    @Test("the permission matrix of 004 §9.3 holds cell by cell (CH-16 to CH-22)", arguments: matrix)
    func cells(action: ChannelAction, allowed: [Bool]) {
        let roles: [Role] = [.owner, .admin, .moderator, .member, .restricted]
        for (role, isAllowed) in zip(roles, allowed) { #expect(role.may(action) == isAllowed, "\(role)") }
    }

    @Test("the matrix covers every action and every role (CH-11)")
    func complete() {
        #expect(Set(Self.matrix.map(\.0)) == Set(ChannelAction.allCases))
        #expect(Role.allCases.map(\.rawValue) == ["owner", "admin", "moderator", "member", "restricted"])
        #expect(Role.allCases.map(\.rank) == [4, 3, 2, 1, 0])
        #expect(Role.restricted < .owner)
    }
}
