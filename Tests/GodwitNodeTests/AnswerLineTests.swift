import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitNode

/// Many messages of one socket share a commit; their answers keep the order (WS-09, docs/protocol.md §9.3).
@Suite("Answers of a socket")
struct AnswerLineTests {
    @Test("messages that do not wait for their answers are accepted, answered and delivered in their order")
    func order() async throws {
        try await TestNode.with { node in
            let (alice, sender) = try await node.enrol("alice")
            let (bob, reader) = try await node.enrol("bob")
            let before = try await node.count("node_message")
            let sent = (0..<200).map { _ in alice.message(to: "@" + bob.id.text) }
            for (number, message) in sent.enumerated() {
                await sender.session.received(
                    ([
                        "command": "send_message", "data": ["message": .object(message)],
                        "request_id": .string("m\(number)"),
                    ]
                        as JSONObject).canonicalBytes())
            }
            try await eventually("all answers") {
                sender.outbox.events("ack").filter { $0["message_id"] != nil }.count == 200
            }
            let answers = sender.outbox.events("ack").filter { $0["message_id"] != nil }
            #expect(answers.map { $0["request_id"]?.string } == (0..<200).map { "m\($0)" })
            #expect(answers.map { $0["message_id"]?.string } == sent.map { $0["id"]?.string })
            #expect(try await node.count("node_message") == before + 200)
            // At most 128 are under way to the reader, alice's introduction among them.
            try await eventually("what may be under way") { reader.outbox.messages.count == 127 }
            let last = reader.outbox.events("message").last?["arrival"]?.integer ?? 0
            try await reader.command("received", ["upto": .integer(last)])
            try await eventually("the rest") { reader.outbox.has(sent) }
        }
    }

    @Test("a message that is refused is answered in its turn, and so is a command after messages")
    func turns() async throws {
        try await TestNode.with { node in
            let (alice, sender) = try await node.enrol("alice")
            let (bob, _) = try await node.enrol("bob")
            let good = alice.message(to: "@" + bob.id.text)
            let frames: [JSONObject] = [
                ["command": "send_message", "data": ["message": .object(good)], "request_id": "a"],
                ["command": "send_message", "data": ["content": "hello"], "request_id": "b"],
                ["command": "send_message", "data": ["message": .object(good)], "request_id": "c"],
                ["command": "update_status", "data": ["status": "away"], "request_id": "d"],
            ]
            for frame in frames { await sender.session.received(frame.canonicalBytes()) }
            let answers = { sender.outbox.frames.filter { ["ack", "error"].contains($0["event"]?.string) } }
            try await eventually("the last answer") { answers().last?["data"]?.object?["request_id"]?.string == "d" }
            let latest = answers().suffix(4)
            #expect(latest.map { $0["event"]?.string } == ["ack", "error", "ack", "ack"])
            #expect(latest.map { $0["data"]?.object?["request_id"]?.string } == ["a", "b", "c", "d"])
            #expect(latest.map { $0["data"]?.object?["repeated"]?.bool } == [false, nil, true, nil])
        }
    }

    @Test("whom a message is for gets it also when its author has gone before the answer")
    func gone() async throws {
        try await TestNode.with { node in
            let (alice, sender) = try await node.enrol("alice")
            let (bob, reader) = try await node.enrol("bob")
            let sent = (0..<20).map { _ in alice.message(to: "@" + bob.id.text) }
            for message in sent {
                await sender.session.received(
                    (["command": "send_message", "data": ["message": .object(message)]] as JSONObject).canonicalBytes())
            }
            await sender.session.closed()
            try await eventually("delivery") { reader.outbox.has(sent) }
        }
    }

    @Test("64 questions are open at most; the next one waits for an answer to be dealt with")
    func depth() async throws {
        let line = AnswerLine<Int>()
        for _ in 0..<AnswerLine<Int>.depthMax { await line.enter() }
        let entered = Mutex(false)
        let waiting = Task.immediate {
            await line.enter()
            entered.withLock { $0 = true }
        }
        for _ in 0..<50 { await Task.yield() }
        #expect(!entered.withLock { $0 })
        line.finished()
        await waiting.value
        #expect(entered.withLock { $0 })
    }

    @Test("answers that come before anybody looks are taken together and in order, also when the line has gone")
    func together() async throws {
        var line: AnswerLine<Int>? = AnswerLine<Int>()
        for _ in 0..<3 { await line?.enter() }
        for number in 0..<3 { line?.answer(number) }
        let (signals, given) = try (#require(line).signals, #require(line).given)
        line = nil
        var turns: [[Int]] = []
        for await _ in signals { turns.append(given.take()) }
        #expect(turns == [[0, 1, 2]])
    }

    @Test("answers that are dealt with together make room for as many questions")
    func room() async throws {
        let line = AnswerLine<Int>()
        for _ in 0..<AnswerLine<Int>.depthMax { await line.enter() }
        line.finished(AnswerLine<Int>.depthMax)
        await line.drained()
        for _ in 0..<AnswerLine<Int>.depthMax { await line.enter() }
    }
}
