import GodwitProtocol
import HTTPTypes
import Testing

@testable import GodwitServer

/// Paths of the REST interface (REST-01, gap G-37).
@Suite("Paths of the REST interface") struct APIPathTests {
    private func channel(_ target: String) throws -> String? {
        guard let path = try APIPath(target) else { return nil }
        for route in APITable.routes where route.method == .get {
            guard let match = APIMatch(route, path.segments) else { continue }
            var data = JSONObject()
            try match.fill(&data, from: path)
            return data["channel"]?.string
        }
        return nil
    }

    @Test(
        "a channel is written escaped, without its #, or as base64url, and each is the same channel (G-37)",
        arguments: [
            "%23dev%2Frust-help", "dev%2Frust-help", "%23dev%2frust-help", "~I2Rldi9ydXN0LWhlbHA",
        ])
    func channels(segment: String) throws {
        #expect(try channel("/api/v1/channels/\(segment)/messages") == "#dev/rust-help")
    }

    @Test("a direct conversation is an address too, plain or escaped")
    func direct() throws {
        for segment in ["@a7f3k9m2.alice", "%40a7f3k9m2.alice", "~QGE3ZjNrOW0yLmFsaWNl"] {
            #expect(try channel("/api/v1/channels/\(segment)/messages") == "@a7f3k9m2.alice")
        }
    }

    @Test("a slash that is not escaped ends the name: nothing is at that path")
    func slash() throws {
        #expect(try channel("/api/v1/channels/dev/rust-help/messages") == nil)
    }

    @Test(
        "what is no address and no escape is refused with 2000",
        arguments: ["Dev", "%23", "@nobody", "~", "~!!", "%2", "%zz", "%ff", "~I0RFVg", "%00"])
    func refused(segment: String) throws {
        let error = try #require(throws: ProtocolError.self) {
            try self.channel("/api/v1/channels/\(segment)/messages")
        }
        #expect(error.code == .invalidMessageFormat)
    }

    @Test("a query is taken apart after its & and =; unknown and repeated parameters are refused by name")
    func query() throws {
        let path = try #require(try APIPath("/api/v1/sync?after=12&limit=3"))
        let match = try #require(APITable.routes.lazy.compactMap { APIMatch($0, path.segments) }.first)
        var data = JSONObject()
        try match.fill(&data, from: path)
        #expect(data == ["after": 12, "limit": 3])
        for (query, member) in [
            ("limit=0", "limit"), ("limit=129", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
            ("limit=1&limit=2", "limit"), ("colour=red", "colour"), ("after=-1", "after"), ("after=+1", "after"),
            ("limit=1.0", "limit"),
        ] {
            let path = try #require(try APIPath("/api/v1/sync?\(query)"))
            let error = try #require(throws: ProtocolError.self) { try match.fill(&data, from: path) }
            #expect(error.details["member"]?.string == member, "\(query)")
        }
    }

    @Test("no two operations share method and template, and each has a name of its own")
    func unique() {
        #expect(Set(APITable.routes.map { "\($0.method) \($0.template)" }).count == APITable.routes.count)
        #expect(Set(APITable.routes.map(\.operationID)).count == APITable.routes.count)
    }

    @Test("one range of bytes is read; several, none and nonsense are not (RFC 9110 §14)")
    func ranges() {
        #expect(ByteRange("bytes=0-9")?.bounds(in: 100) == 0..<10)
        #expect(ByteRange("bytes=90-")?.bounds(in: 100) == 90..<100)
        #expect(ByteRange("bytes=-10")?.bounds(in: 100) == 90..<100)
        #expect(ByteRange("bytes=-200")?.bounds(in: 100) == 0..<100)
        #expect(ByteRange("bytes=50-1000")?.bounds(in: 100) == 50..<100)
        #expect(ByteRange("bytes=99-99")?.bounds(in: 100) == 99..<100)
        #expect(ByteRange("bytes=100-")?.bounds(in: 100) == nil)
        #expect(ByteRange("bytes=-0")?.bounds(in: 100) == nil)
        for text in [
            "bytes=9-0", "bytes=0-1,5-6", "items=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=--1",
        ] {
            #expect(ByteRange(text) == nil, "\(text)")
        }
        #expect(ByteRange("bytes=0-9223372036854775807") == nil)
    }
}
