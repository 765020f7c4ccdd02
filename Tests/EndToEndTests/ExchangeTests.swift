import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// `/batch/v1/exchange` as strangers use it: with curl, and with Python's `noiseprotocol` (CAR rows; section 8).
    @Suite("Exchange")
    struct ExchangeTests {
        @Test("bad bodies get a stated error each, and the node goes on answering good ones")
        func badBodies() async throws {
            let (site, node) = try await Site.started()
            let carol = try await ForeignClient.registered(site, "carol-f")
            let good = try await Self.record(carol)
            let stranger = try await Self.record(carol, for: "aaaaaaaa")
            var altered = good
            altered[good.count - 1] ^= 1
            var version = good
            version[1] = 7
            let cases: [(String, [UInt8], status: Int, number: Int64, code: String)] = [
                ("garbage", Array("hello, node".utf8), 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("no bytes", [], 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("cut off", good.dropLast(5), 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("of another version", version, 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("an empty record", [0], 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("a length in a longer form", [0x85, 0] + Array("hello".utf8), 400, 2000, "INVALID_MESSAGE_FORMAT"),
                ("a record of 65,601 bytes", [0xC1, 0x80, 0x04], 413, 2001, "MESSAGE_TOO_LARGE"),
                ("altered", altered, 401, 1000, "INVALID_CREDENTIALS"),
                ("for somebody else", stranger, 401, 1000, "INVALID_CREDENTIALS"),
                ("good, then junk", good + [5] + Array("hello".utf8), 400, 2000, "INVALID_MESSAGE_FORMAT"),
            ]
            for (name, body, status, number, code) in cases {
                let answer = try await Self.post(body, site)
                #expect(answer.status == status, "\(name)")
                let error = try JSONObject.parse(answer.body)["error"]?.object ?? [:]
                #expect(error["number"]?.integer == number, "\(name)")
                #expect(error["code"]?.string == code, "\(name)")
                #expect(error["message"]?.string?.isEmpty == false, "\(name)")
                #expect(error["timestamp"]?.string.flatMap { Timestamp(iso8601: $0) } != nil, "\(name)")
                #expect(try await Self.post(good, site).status == 200, "after \(name)")
            }
            let method = try await Self.post(good, site, "-X", "PUT")
            #expect(method.status == 405)
            #expect(try JSONObject.parse(method.body)["error"]?.object?["hint"]?.string == "Use POST.")
            withExtendedLifetime(node) {}
        }

        @Test("a body of more than 16 MiB is refused, and the node lives on")
        func tooLarge() async throws {
            let (site, node) = try await Site.started()
            let answer = try await Self.post([UInt8](repeating: 1, count: 16_777_217), site)
            #expect(answer.status == 413)
            #expect(try JSONObject.parse(answer.body)["error"]?.object?["number"]?.integer == 2001)
            #expect(try await site.tool.json("node", "status", "--home", site.home)["id"]?.string == site.id)
            withExtendedLifetime(node) {}
        }

        @Test("a device in another language calls with a loose frame and opens what the node has for it")
        func looseExchange() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "by batch")
            try await tool.json("sync", "--home", "bob")
            let first = try await carol.call("exchange")
            let numbers = (first["numbers"]?.array ?? []).compactMap(\.integer)
            #expect(numbers == [0, 1], "a loose frame with acknowledgements, and the first frame for this device")
            let frame = first["frames"]?.array?.last?.object ?? [:]
            #expect(frame["floor"]?.integer == 1 && frame["items"]?.integer ?? 0 > 0)
            let second = try await carol.call("exchange")
            #expect(second["numbers"] == first["numbers"], "not acknowledged, so it comes again")
            #expect(try await carol.refusal("exchange", "aaaaaaaa") == "INVALID_CREDENTIALS")
            withExtendedLifetime(node) {}
        }

        @Test(
            "such a device sends and reads in frames of its own making, and acknowledges what it has taken (D-7, D-8)")
        func frames() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            let texts = ["one", "two", "three by batch"]
            try await carol.call("write_batch", .string(bob), .array(texts.map { .string($0) }))
            // The answer is lost; what went is known there all the same, and the repeat does nothing.
            #expect(try await carol.call("lose_answer")["held"] == [1])
            #expect(try await carol.refusal("reuse_number") == "FEDERATION_ERROR")
            let first = try await carol.call("contact")
            #expect(first["held"] == [], "acknowledged with the digest of what was sent: \(first.canonicalText)")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == texts)

            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "and back")
            try await tool.json("sync", "--home", "bob")
            let second = try await carol.call("contact")
            #expect(second["texts"] == ["and back"] && second["numbers"]?.array?.count ?? 0 >= 2)
            #expect(try await carol.call("contact")["numbers"] == [0], "acknowledged, so it does not come again")
            try await carol.call("write_batch", .string(bob), ["still here"])
            #expect(try await carol.call("contact")["held"] == [])
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == texts + ["still here"])
            withExtendedLifetime(node) {}
        }

        @Test("of frames that break only the rest goes again, both ways (docs/protocol.md §8.1)")
        func partials() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await carol.call("write_batch", .string(bob), ["one", "two"])
            let sent = try #require(try await carol.call("cut_request", 300)["size"]?.integer)
            let first = try await carol.call("resume")
            // Kind, hint, incarnation, number, and two bytes that say where it goes on.
            #expect(first["sent"]?.array?.last?.integer == sent - 300 + 12, "\(first.canonicalText)")
            #expect(first["held"] == [])
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == ["one", "two"])

            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "and back")
            try await tool.json("sync", "--home", "bob")
            let size = try #require(try await carol.call("cut_answer", 200)["size"]?.integer)
            let second = try await carol.call("contact")
            #expect(second["texts"] == ["and back"])
            #expect(second["came"]?.array?[1].integer == size - 200 + 12, "\(second.canonicalText)")
            #expect(try await carol.call("contact")["numbers"] == [0])
            withExtendedLifetime(node) {}
        }

        private static func record(_ client: ForeignClient, for receiver: String? = nil) async throws -> [UInt8] {
            var request: JSONObject = ["op": "frame"]
            if let receiver { request["receiver"] = .string(receiver) }
            guard let record = try await client.ask(request)["record"]?.string.flatMap(Base64.decode) else {
                throw Place.Missing(description: "The script made no record.")
            }
            return record
        }

        private static func post(
            _ body: [UInt8], _ site: Site, _ options: String...
        ) async throws -> (status: Int, body: [UInt8]) {
            let scratch = site.tool.scratch
            try scratch.write(body, to: "body")
            try scratch.write([], to: "answer")
            let outcome = try await Child(
                "/usr/bin/curl",
                options + [
                    "--silent", "--insecure", "--max-time", "60", "--data-binary", "@body", "--output", "answer",
                    "--write-out", "%{http_code}", "https://127.0.0.1:\(site.port)/batch/v1/exchange",
                ], in: scratch.path
            ).ended()
            #expect(outcome.code == 0, "curl: \(outcome)")
            return (Int(outcome.out) ?? 0, try scratch.bytes("answer"))
        }
    }
}
