import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// The REST interface of a running node, as clients see it that are not ours (REST rows, AUTH-05 to AUTH-13, AUTH-17, G-37,
    /// G-41).
    @Suite("REST")
    struct RESTTests {
        private final class Client: Sendable {
            let child: Child

            init(_ site: Site, _ name: String) async throws {
                child = try Child(
                    try Place.python(), ["-B", Place.root + "/Tests/Interop/rest.py"], in: site.tool.scratch.path,
                    input: nil)
                try await send([
                    "op": "start", "node": .object(site.descriptor), "endpoint": .string(site.socketURL),
                    "username": .string(name), "passphrase": "correct horse battery staple",
                ])
            }

            @discardableResult
            func send(_ request: JSONObject) async throws -> JSONObject {
                try child.send(request.canonicalBytes())
                let answer = try JSONObject.parse(try await child.line())
                guard answer["error"] == nil else {
                    throw Place.Missing(description: "\(request.canonicalText.prefix(200)) got \(answer.canonicalText)")
                }
                return answer
            }

            @discardableResult
            func call(_ method: String, _ arguments: JSONValue...) async throws -> JSONValue {
                let answer = try await send([
                    "op": "call", "method": .string(method), "arguments": .array(arguments),
                ])
                guard let result = answer["result"] else {
                    throw Place.Missing(description: "\(method) got \(answer.canonicalText)")
                }
                return result
            }

            func fetch(_ method: String, _ path: String, headers: JSONObject = [:]) async throws -> JSONObject {
                try await send([
                    "op": "fetch", "method": .string(method), "path": .string(path), "headers": .object(headers),
                ])["result"]?.object ?? [:]
            }
        }

        private static func client(_ site: Site, _ name: String) async throws -> Client {
            let client = try await Client(site, name)
            let opened = try await client.send(["op": "open", "register": true])
            guard opened["result"] != nil else { throw Place.Missing(description: opened.canonicalText) }
            try await client.call("publish")
            return client
        }

        @Test(
            "a client in Python that knows only REST registers, talks with a Swift client, and logs out (REST-07, REST-08)"
        )
        func conversation() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            // Its keys come to the node with its first contact.
            try await tool.json("sync", "--home", "bob")
            let carol = try await Self.client(site, "carol-r")
            try await carol.call("send_direct", .string(bob), "over REST")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.read("bob").compactMap { $0["text"]?.string } == ["over REST"])
            try await tool.json("send", "--home", "bob", "@\(site.id).carol-r", "and back")
            try await tool.json("sync", "--home", "bob")
            let answer = try await carol.send(["op": "receive", "count": 1])
            #expect(answer["result"]?.array?.first?.object?["text"]?.string == "and back")

            try await carol.call("enter", "create_channel", "#field/notes", .string(site.id))
            try await carol.send(["op": "receive", "channel": "#field/notes", "version": 1, "count": 0])
            try await carol.call("send_channel", "#field/notes", "first entry")

            #expect(try await carol.send(["op": "refresh"])["result"] != nil)
            #expect(try await carol.fetch("GET", "/auth/sessions")["status"]?.integer == 200)
            #expect(try await carol.fetch("DELETE", "/auth/session")["status"]?.integer == 204)
            #expect(try await carol.fetch("GET", "/auth/sessions")["status"]?.integer == 401)
            #expect(try await carol.send(["op": "open"])["result"] != nil)
            withExtendedLifetime(node) {}
        }

        @Test("users, channels and the pages of a history are read as the table of paths says (REST-03 to REST-06)")
        func reading() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let carol = try await Self.client(site, "carol-r")
            func get(_ path: String) async throws -> JSONObject {
                let answer = try await carol.send(["op": "ask", "method": "GET", "path": .string(path)])
                guard let result = answer["result"]?.object else {
                    throw Place.Missing(description: "\(path) got \(answer.canonicalText)")
                }
                return result
            }
            try await carol.call("enter", "create_channel", "#field/notes", .string(site.id))
            try await carol.send(["op": "receive", "channel": "#field/notes", "version": 1, "count": 0])
            for number in 0..<5 { try await carol.call("send_channel", "#field/notes", .string("entry \(number)")) }

            let user = try await get("/users/\(site.id).carol-r")
            #expect(user["user_id"]?.string == "\(site.id).carol-r" && user["status"]?.string != nil)
            let channel = try #require(try await get("/channels")["channels"]?.array?.first?.object)
            #expect(channel["name"]?.string == "#field/notes" && channel["member_count"]?.integer == 1)
            #expect(channel["id"]?.string != nil && channel["last_activity"]?.string != nil)

            var (read, cursor): ([String], String) = ([], "")
            for page in 1...3 {
                let answer = try await get("/channels/field%2Fnotes/messages?limit=2\(cursor)")
                read += (answer["messages"]?.array ?? []).compactMap { $0.object?["message"]?.object?["id"]?.string }
                #expect(answer["has_more"]?.bool == (page < 3))
                cursor = answer["next_cursor"]?.string.map { "&before=\($0)" } ?? ""
            }
            let all = try await get("/channels/%23field%2Fnotes/messages")["messages"]?.array ?? []
            #expect(read.count == 5 && Set(read).count == 5)
            #expect(read == all.compactMap { $0.object?["message"]?.object?["id"]?.string })
            withExtendedLifetime(node) {}
        }

        @Test("who moves to another node says so with a record of its own key, and whoever knows it is told (G-34)")
        func moving() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            try await tool.json("sync", "--home", "bob")
            let carol = try await Self.client(site, "carol-r")
            let user = "\(site.id).carol-r"
            try await carol.call("send_direct", .string(bob), "I move to the island")
            try await tool.json("sync", "--home", "bob")
            let forged = try await carol.send([
                "op": "call", "method": "move_with_another_key", "arguments": ["zzzzzzzz.carol-r"],
            ])
            #expect(forged["refused"] != nil && forged["result"] == nil)
            let unmoved = try await carol.fetch("GET", "/users/\(user)")
            #expect(unmoved["text"]?.string?.contains("zzzzzzzz") == false)
            #expect(try await tool.json("sync", "--home", "bob")["received"]?.integer == 0)
            try await carol.call("move", "zzzzzzzz.carol-r")
            let moved = try await carol.fetch("GET", "/users/\(user)")
            #expect(moved["text"]?.string?.contains("zzzzzzzz.carol-r") == true, "\(moved.canonicalText)")
            // The record comes, the device asks for the keys of the new id, and is told that its node is no peer.
            let told = try await tool.json("sync", "--home", "bob")
            #expect(told["handed_over"]?.integer == 1 && told["received"]?.integer == 2, "\(told.canonicalText)")
            withExtendedLifetime(node) {}
        }

        @Test("what has not changed costs a few bytes: 304 for the descriptor, the document and device lists")
        func unchanged() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let carol = try await Self.client(site, "carol-r")
            let user = "\(site.id).carol-r"
            for path in ["/node", "/openapi.json", "/devices", "/users/\(user)/devices", "/users/\(user)/keys"] {
                let first = try await carol.fetch("GET", path)
                #expect(first["status"]?.integer == 200, "\(path): \(first.canonicalText)")
                let tag = try #require(first["etag"]?.string)
                let again = try await carol.fetch("GET", path, headers: ["If-None-Match": .string(tag)])
                #expect(again["status"]?.integer == 304 && again["length"]?.integer == 0, "\(path)")
                let names = (again["names"]?.array ?? []).compactMap(\.string)
                #expect(!names.contains("date") && !names.contains("server"), "\(names)")
            }
            withExtendedLifetime(node) {}
        }

        @Test("schemathesis finds no violation of the OpenAPI document (issue: REST, an OpenAPI document tested)")
        func schemathesis() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let carol = try await Self.client(site, "carol-r")
            let token = try await carol.send(["op": "token"])["result"]?.string ?? ""
            // Logging out would end the session that all the rest needs.
            let program = try Place.python().replacingOccurrences(of: "/python", with: "/schemathesis")
            let run = try Child(
                program,
                [
                    "--config-file", Place.root + "/Tests/Interop/schemathesis.toml", "run",
                    "https://127.0.0.1:\(site.port)/api/v1/openapi.json", "--tls-verify", "false", "--header",
                    "Authorization: Bearer \(token)", "--exclude-operation-id", "delete_auth_session",
                    "--exclude-operation-id", "delete_auth_sessions", "--exclude-operation-id",
                    "delete_auth_sessions_session",
                ], in: site.tool.scratch.path)
            let outcome = try await run.ended()
            #expect(outcome.code == 0, "\(outcome.out.suffix(6_000))\(outcome.complaint.suffix(1_000))")
            withExtendedLifetime([node, carol.child]) {}
        }
    }
}
