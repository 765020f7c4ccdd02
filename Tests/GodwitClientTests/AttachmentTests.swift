import FoundationEssentials
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Files and recordings in messages (MSG-09, MSG-11, docs/protocol.md §5.5).
@Suite("Files in messages")
struct AttachmentTests {
    private static func bytes(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
        var random = SeededRandom(seed)
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    /// 2.299 s of a tone, made by opusenc (opus-tools 0.1.10).
    private static func recording() throws -> [UInt8] {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        return [UInt8](try #require(FileManager.default.contents(atPath: root + "/Tests/Vectors/tone.opus")))
    }

    private static func refusal(_ body: () throws -> Void) throws -> ProtocolError {
        try #require(#expect(throws: ProtocolError.self) { try body() })
    }

    @Test(
        "a file comes as it was on each device of the reader and the author, whatever it takes",
        arguments: [1, 32_768, 32_769, 100_000])
    func files(_ size: Int) async throws {
        let home = try await Household(devices: 2)
        try await home.lookUp()
        let file = Self.bytes(size)
        let entries = try await home.amina.send(
            file: file, named: "boot am Ufer.jpg", caption: "the boat", to: .user(home.layla[0].userID))
        #expect(entries.count == (size + 32_767) / 32_768)
        #expect(entries.map(\.text) == ["the boat"] + entries.dropFirst().map { _ in "" })
        try await home.hub.settle(home.all)
        for device in home.layla {
            let shown = try await device.inbox()
            #expect(shown.map(\.type) == entries.map { _ in .media })
            #expect(shown.first?.text == "the boat" && shown.first?.attachment?.mimeType == "image/jpeg")
            for entry in shown {
                let found = try await device.file(of: entry.id)
                #expect(found.bytes == file && found.attachment.name == "boot am Ufer.jpg")
            }
        }
        let own = try #require(try await home.amina.outbox().last?.id)
        #expect(try await home.amina.file(of: own).bytes == file)
    }

    @Test("of a file whose parts have not all come it says how much is here")
    func missing() async throws {
        let home = try await Household()
        try await home.lookUp()
        _ = try await home.amina.send(file: Self.bytes(100_000), named: "a.pdf", to: .user(home.layla[0].userID))
        try await home.hub.settle(home.all)
        let last = try #require(try await home.layla[0].inbox().last)
        try await home.amina.delete([try #require(try await home.amina.outbox().first?.id)])
        try await home.hub.settle(home.all)
        let error = await #expect(throws: ProtocolError.self) { try await home.layla[0].file(of: last.id) }
        #expect(error?.message == "Of the file 67232 of 100000 bytes have come.")
        _ = try await home.amina.send(text: "no file", to: .user(home.layla[0].userID))
        try await home.hub.settle(home.all)
        let plain = try #require(try await home.layla[0].inbox().last)
        await #expect(throws: ProtocolError.self) { try await home.layla[0].file(of: plain.id) }
        await #expect(throws: ProtocolError.self) {
            try await home.layla[0].file(of: MessageID("msg_aaaaaaaaaaaaaaaa"))
        }
    }

    @Test("a recording is a voice message and says how long it is; what is none is refused")
    func voice() async throws {
        let home = try await Household()
        try await home.lookUp()
        let recording = try Self.recording()
        let target = MessageTarget.user(home.layla[0].userID)
        _ = try await home.amina.send(file: recording, named: "note.opus", isVoice: true, to: target)
        try await home.hub.settle(home.all)
        let entry = try #require(try await home.layla[0].inbox().first)
        #expect(entry.type == .voice && entry.attachment?.duration == 3)
        #expect(entry.attachment?.line == "[voice, 3 s, 2,701 B]")
        #expect(try await home.layla[0].file(of: entry.id).bytes == recording)
        for other in [Array("RIFF".utf8) + Self.bytes(60), Array(recording.prefix(60)), []] {
            await #expect(throws: ProtocolError.self) {
                try await home.amina.send(file: other, named: "note.wav", isVoice: true, to: target)
            }
        }
        #expect(try await home.amina.outbox().count == 1)
    }

    @Test("what the decoder skips is no part of a recording, and a begun second counts (RFC 7845, 4.2)")
    func durations() throws {
        var recording = try Self.recording()
        let skipped = Int(recording[38]) | Int(recording[39]) << 8
        #expect(skipped > 0)
        let last = try #require(
            recording.indices.dropLast(3).last { recording[$0...].starts(with: Array("OggS".utf8)) })
        for (samples, seconds) in [(1, 1), (48_000, 1), (48_001, 2), (144_000, 3), (144_001, 4)] {
            for byte in 0..<8 {
                recording[last + 6 + byte] = UInt8(truncatingIfNeeded: (samples + skipped) >> (8 * byte))
            }
            #expect(OggOpus.seconds(recording) == seconds, "\(samples)")
        }
    }

    @Test("a cut or changed recording never breaks whoever reads its length")
    func hostileRecordings() throws {
        let recording = try Self.recording()
        var random = SeededRandom(11)
        for length in 0..<120 { _ = OggOpus.seconds(Array(recording.prefix(length))) }
        for _ in 0..<500 {
            var bytes = recording
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            if let seconds = OggOpus.seconds(bytes) { #expect(seconds > 0) }
        }
    }

    @Test("1,048,576 bytes go, one more does not; neither does an empty file, or one whose name leads elsewhere")
    func limits() throws {
        #expect(try Attachment.parts(of: Self.bytes(1_048_576), named: "a").count == 32)
        let large = try Self.refusal { _ = try Attachment.parts(of: Self.bytes(1_048_577), named: "a") }
        #expect(large.code == .messageTooLarge && large.details["max_size"]?.integer == 1_048_577)
        _ = try Self.refusal { _ = try Attachment.parts(of: [], named: "a") }
        let names = [
            "", ".", "..", "../a", "/etc/passwd", "a/b", "a\u{0}b", "a\nb", "a\u{1B}[2J", "gpj.\u{202E}exe",
            String(repeating: "a", count: 256),
        ]
        for name in names {
            _ = try Self.refusal { _ = try Attachment.parts(of: [1], named: name) }
        }
        _ = try Attachment.parts(of: [1], named: String(repeating: "a", count: 255))
    }

    @Test("what others say of a file is taken only where it fits together")
    func hostileContents() throws {
        let good = try #require(try Attachment.parts(of: [1, 2, 3], named: "a.txt").first).content(caption: "")
        #expect(Attachment(good)?.data == [1, 2, 3])
        let changes: [(String, JSONValue)] = [
            ("filename", "../a"), ("filename", 7), ("size", 0), ("size", 2), ("size", 1_048_577), ("size", -1),
            ("offset", 1), ("offset", -1), ("offset", "0"), ("offset", .integer(JSONValue.integerMax)),
            ("data", ""), ("data", "%%"), ("data", .null), ("hash", "md5:00"), ("hash", "sha256:00"),
        ]
        for (member, value) in changes {
            var ref = try #require(good["media_refs"]?.array?.first?.object)
            ref[member] = value
            #expect(Attachment(["media_refs": .array([.object(ref)])]) == nil, "\(member) \(value)")
        }
        let ref = try #require(good["media_refs"]?.array?.first)
        #expect(Attachment(["media_refs": .array([ref, ref])]) == nil)
        let voice = try #require(ref.object)
        for (duration, seconds) in [(JSONValue.integer(-5), 0), ("long", 0), (.integer(7), 7)] {
            var object = voice
            object["duration"] = duration
            #expect(Attachment(["media_ref": .object(object)])?.duration == seconds)
        }
        #expect(Attachment(["media_refs": .array([])]) == nil && Attachment(["text": "a"]) == nil)
    }

    @Test("parts join in any order and with repeats; a byte that is another one is no file", arguments: 1...20)
    func joining(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        let file = Self.bytes(Int.random(in: 32_769...300_000, using: &random), seed: seed)
        let parts = try Attachment.parts(of: file, named: "a")
        var shuffled = (parts + [try #require(parts.randomElement(using: &random))]).shuffled(using: &random)
        #expect(Attachment.joined(shuffled) == file)
        #expect(Attachment.joined(Array(parts.dropFirst())) == nil && Attachment.joined([]) == nil)
        for index in shuffled.indices { shuffled[index].data[0] ^= 1 }
        #expect(Attachment.joined(shuffled) == nil)
    }
}
