import GodwitProtocol
import Testing

@Suite("Recipients of a message (D-13)")
struct RecipientTests {
    private func read(_ recipients: JSONValue, of base: JSONObject = Sample.directMessage) -> ProtocolError? {
        do throws(ProtocolError) {
            _ = try Message(base.setting("recipients", recipients))
            return nil
        } catch {
            return error
        }
    }

    private static let reader = (1...16).map { Sample.wrap($0) }
    private static let own = (17...31).map { Sample.wrap($0, user: Sample.alice) }

    @Test("entries for 16 devices of the reader and 15 others of the author are read as they were written")
    func all() throws {
        let wraps = Self.reader + Self.own
        let message = try Message(Sample.directMessage.setting("recipients", BodyWrap.list(wraps)))
        #expect(message.wraps == wraps)
        #expect(message.object["recipients"] == BodyWrap.list(wraps))
        #expect(message.hash == (try Message(Sample.directMessage)).hash)
    }

    @Test("32 entries are read, 33 and an empty list are refused")
    func count() {
        let wraps = (1...33).map { Sample.wrap($0) }
        #expect(read(BodyWrap.list(Array(wraps.prefix(32)))) == nil)
        #expect(WrongMember("recipients", nil).isNamed(by: read(BodyWrap.list(wraps))))
        #expect(WrongMember("recipients", nil).isNamed(by: read([])))
        #expect(WrongMember("recipients", nil).isNamed(by: read("x")))
        #expect(WrongMember("recipients", nil).isNamed(by: read(["x"])))
    }

    @Test("32,768 bytes of entries are read, one more is 2001")
    func size() {
        func bytes(_ wraps: [BodyWrap]) -> Int { BodyWrap.list(wraps).canonicalText.utf8.count }
        var wraps = (1...16).map { Sample.wrap($0, header: 1_299) }
        // Filled up to the limit: 4 characters are 3 bytes of a header.
        let steps = (BodyWrap.bytesMax - bytes(wraps)) / 4
        for index in wraps.indices {
            let more = (steps / 16 + (index < steps % 16 ? 1 : 0)) * 3
            wraps[index].header = Sample.bytes(7, 1_299 + more)
        }
        wraps[0].session += String(repeating: "s", count: BodyWrap.bytesMax - bytes(wraps))
        #expect(bytes(wraps) == BodyWrap.bytesMax)
        #expect(read(BodyWrap.list(wraps)) == nil)
        wraps[0].session += "s"
        #expect(read(BodyWrap.list(wraps))?.code == .messageTooLarge)
    }

    @Test(
        "each field of an entry has its limits",
        arguments: [
            ("session", ""), ("session", String(repeating: "s", count: 65)), ("header", "A"),
            ("header", Base64.encode([UInt8](repeating: 0, count: 2_049))),
            ("nonce", Base64.encode([UInt8](repeating: 0, count: 11))),
            ("wrapped", Base64.encode([UInt8](repeating: 0, count: 47))),
            ("wrapped", Base64.encode([UInt8](repeating: 0, count: 49))), ("device", "x"), ("user_id", "x"),
        ])
    func fields(member: String, value: String) {
        let entry = Sample.wrap(1).object.setting(member, .string(value))
        #expect(WrongMember(member, nil).isNamed(by: read([.object(entry)])))
        let without = Sample.wrap(1).object.omitting([member])
        #expect(WrongMember(member, nil).isNamed(by: read([.object(without)])))
    }

    @Test("a session's name of 64 bytes and a header of 2,048 are read")
    func edges() {
        var wrap = Sample.wrap(1, header: 2_048)
        wrap.session = String(repeating: "s", count: 64)
        #expect(read(BodyWrap.list([wrap])) == nil)
    }

    @Test("a device twice, a device of somebody else, and recipients in a channel are refused")
    func strangers() {
        let one = Sample.wrap(1)
        #expect(WrongMember("recipients", nil).isNamed(by: read(BodyWrap.list([one, one]))))
        let stranger = Sample.wrap(2, user: "c3c3c3c3.carol")
        #expect(WrongMember("recipients", nil).isNamed(by: read(BodyWrap.list([one, stranger]))))
        #expect(
            WrongMember("recipients", nil).isNamed(by: read(BodyWrap.list([one]), of: Sample.channelMessage)))
    }

    @Test("a site gets the entries of its users, a device its own, and nothing else of the message changes")
    func stripped() throws {
        let message = try Message(Sample.directMessage.setting("recipients", BodyWrap.list(Self.reader + Self.own)))
        let bob = try UserID(Sample.bob)
        let site = message.forParty(.node(bob.node))
        #expect(site.wraps == Self.reader)
        let device = site.forParty(Self.reader[4].party)
        #expect(device.wraps == [Self.reader[4]])
        #expect(device.object.omitting(["recipients"]) == message.object.omitting(["recipients"]))
        #expect(device == (try Message(device.object)))
        let stranger = device.forParty(.device(bob, Self.own[0].device))
        #expect(stranger.wraps.isEmpty && stranger.object["recipients"] == nil)
    }

    @Test("what goes to own devices only, as a system message, is bulk (D-20)")
    func own() throws {
        let object = Sample.directMessage.setting("channel", .string("@" + Sample.alice))
        #expect(try Message(Sample.identified(object)).priority == .directText)
        let system = try Message(Sample.identified(object.setting("type", "system")))
        #expect(system.isAmongOwn && system.priority == .bulk)
    }
}
