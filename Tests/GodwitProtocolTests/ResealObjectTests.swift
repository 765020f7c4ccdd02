import GodwitProtocol
import Testing

/// Requests for messages, their answers, and epochs that start by time (docs/protocol.md §7, §11).
@Suite("Objects about messages that are missing")
struct ResealObjectTests {
    private static let signature = JSONValue.string("ed25519:" + Base64.encode([UInt8](repeating: 3, count: 64)))
    private static let node = "a7f3k9m2"

    private func device(_ name: String) throws -> DeviceAddress {
        DeviceAddress(user: try UserID(Self.node + "." + name), device: try DeviceID("abcdefgh"))
    }

    private func hashes(_ count: Int) -> [[UInt8]] {
        (0..<count).map { Array(SHA256Digest.of(Array("\($0)".utf8)).prefix(10)) }
    }

    private func request(
        _ reason: MessageRequest.Reason, _ items: [[UInt8]], runs: [Int64] = [], sessions: [String] = []
    ) throws -> JSONObject {
        let question = MessageRequest.Question(
            from: try device("layla"), to: try device("amina"),
            name: ConversationName(
                .between(try device("layla").user, try device("amina").user), of: try device("layla").user),
            reason: reason, items: items, runs: runs, sessions: sessions)
        return MessageRequest.unsigned(question, number: 7, at: Timestamp(milliseconds: 1_773_466_632_000))
            .setting("signature", Self.signature)
    }

    @Test("a request names 1 to 64 messages, each once, and reads back as it was written")
    func items() throws {
        for count in [1, 64] {
            let read = try MessageRequest(JSONObject.parse(request(.keyGone, hashes(count)).canonicalBytes()))
            #expect(read.items == hashes(count))
            #expect(read.left == read.items)
            #expect(read.number == 7)
            #expect(read.conversation == .between(try device("layla").user, try device("amina").user))
        }
        for items in [[], hashes(65), [hashes(1)[0], hashes(1)[0]]] {
            #expect(throws: ProtocolError.self) { try MessageRequest(request(.keyGone, items)) }
        }
    }

    @Test("an item of a missing chain stands for 1 to 64 messages")
    func runs() throws {
        #expect(try MessageRequest(request(.missing, hashes(2), runs: [1, 64])).runs == [1, 64])
        #expect(try MessageRequest(request(.keyGone, hashes(2))).runs == [1, 1])
        for runs in [[1], [1, 65], [0, 1], [1, 1, 1]] as [[Int64]] {
            #expect(throws: ProtocolError.self) { try MessageRequest(request(.missing, hashes(2), runs: runs)) }
        }
    }

    @Test("up to 16 sessions are named")
    func sessions() throws {
        let names = (0..<17).map { "session-\($0)" }
        let most = try MessageRequest(request(.unknownSession, hashes(1), sessions: Array(names.prefix(16))))
        #expect(most.sessions == Array(names.prefix(16)))
        #expect(throws: ProtocolError.self) {
            try MessageRequest(request(.unknownSession, hashes(1), sessions: names))
        }
        #expect(throws: ProtocolError.self) {
            try MessageRequest(request(.unknownSession, hashes(1), sessions: [String(repeating: "x", count: 65)]))
        }
    }

    @Test("what is left is some of what was asked for")
    func left() throws {
        let whole = try MessageRequest(request(.keyGone, hashes(3)))
        #expect(try MessageRequest(whole.leaving([hashes(3)[1]])).left == [hashes(3)[1]])
        #expect(throws: ProtocolError.self) { try MessageRequest(whole.leaving([hashes(4)[3]])) }
    }

    @Test("an answer gives holes by reason; a device signs its own and sends no messages")
    func answer() throws {
        let (reader, author) = (try device("layla"), try device("amina"))
        let holes: [[UInt8]: HoleReason] = [hashes(2)[0]: .gone, hashes(2)[1]: .deleted]
        let at = Timestamp(milliseconds: 1_773_466_632_000)
        let fromNode = MessageAnswer.unsigned(
            from: .node(author.user.node), to: reader, author: author, holes: holes, at: at)
        #expect(try MessageAnswer(JSONObject.parse(fromNode.canonicalBytes())).holes == holes)
        let fromDevice = MessageAnswer.unsigned(from: author.party, to: reader, author: author, holes: holes, at: at)
        #expect(throws: ProtocolError.self) { try MessageAnswer(fromDevice) }
        #expect(try MessageAnswer(fromDevice.setting("signature", Self.signature)).from == author.party)
        let other = MessageAnswer.unsigned(from: reader.party, to: reader, author: author, holes: holes, at: at)
        #expect(throws: ProtocolError.self) { try MessageAnswer(other.setting("signature", Self.signature)) }
        let many = (0..<257).map { _ in JSONValue.object([:]) }
        #expect(throws: ProtocolError.self) { try MessageAnswer(fromNode.setting("messages", .array(many))) }
    }

    @Test("a rotation has a predecessor and a number from 1 to 365,000; a node's mark changes no name")
    func rotation() throws {
        func start(_ rotation: Int64?, after predecessor: [UInt8]?) throws -> JSONObject {
            EpochStart.unsigned(
                channel: ChannelID(name: try ChannelName("#general"), node: try NodeID(Self.node)),
                predecessor: predecessor, membership: 3, deviceSet: SHA256Digest.of([1]),
                commitment: SHA256Digest.of([2]), author: try device("amina").user,
                device: try device("amina").device, created: Timestamp(milliseconds: 1_773_466_632_000),
                rotation: rotation
            ).setting("wraps", .null).setting("signature", Self.signature)
        }
        let hash = SHA256Digest.of([3])
        for number in [1, EpochStart.rotationMax] {
            let epoch = try EpochStart(start(number, after: hash))
            #expect(epoch.rotation == number && !epoch.isSide)
            let marked = try EpochStart(start(number, after: hash).setting("side", true))
            #expect(marked.isSide && marked.name == epoch.name)
        }
        #expect(throws: ProtocolError.self) { try EpochStart(start(0, after: hash)) }
        #expect(throws: ProtocolError.self) { try EpochStart(start(EpochStart.rotationMax + 1, after: hash)) }
        #expect(throws: ProtocolError.self) { try EpochStart(start(1, after: nil)) }
        #expect(try EpochStart(start(nil, after: nil)).rotation == nil)
    }

    @Test("history is shared only where a channel's settings say so, and said only then")
    func sharedHistory() throws {
        #expect(try !ChannelSettings([:]).sharesHistory)
        #expect(ChannelSettings().object["shares_history"] == nil)
        let shares = try ChannelSettings(["shares_history": true])
        #expect(shares.sharesHistory && shares.object["shares_history"] == true)
        var changed = shares
        try changed.apply(["topic": "x"])
        #expect(changed.sharesHistory)
        try changed.apply(["shares_history": false])
        #expect(!changed.sharesHistory)
        #expect(throws: ProtocolError.self) { try ChannelSettings(["shares_history": "yes"]) }
    }
}
