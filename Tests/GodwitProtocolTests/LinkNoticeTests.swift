import Foundation
import GodwitProtocol
import Testing

/// What devices are told of links (NET-09, NET-14, G-72; `docs/protocol.md` §7, `link_status`).
@Suite("The status of a link, as devices are told it")
struct LinkNoticeTests {
    @Test("the example of the document is read and written as it stands there")
    func example() throws {
        let path = String(#filePath.dropLast("Tests/GodwitProtocolTests/LinkNoticeTests.swift".count))
        let document = try String(contentsOfFile: path + "docs/protocol.md", encoding: .utf8)
        let start = try #require(document.range(of: "{\"allowed\":{\"documents\"")?.lowerBound)
        let end = try #require(document[start...].range(of: "\n```")?.lowerBound)
        let text = document[start..<end].replacingOccurrences(of: "\n", with: "")
        guard case .linkStatus(let notice) = try ProtocolObject(parsing: Array(text.utf8)) else {
            return #expect(Bool(false), "another object")
        }
        #expect(notice.object.canonicalText == text)
        #expect(notice.tier == 1 && notice.allowed.textMax == 140 && notice.allowed.sealedMax == 1_024)
        #expect(notice.held == nil)
    }

    @Test("limits are null or 1 to 65,535, tiers 1 to 4, kinds of voice those of the list")
    func limits() throws {
        func isRead(_ key: String, _ value: JSONValue) -> Bool {
            var object = Sample.linkStatus
            if key == "tier" {
                object["tier"] = value
            } else {
                object["allowed"] = .object((object["allowed"]?.object ?? [:]).setting(key, value))
            }
            return (try? ProtocolObject(object)) != nil
        }
        for key in ["text_max", "sealed_max"] {
            for value: JSONValue in [nil, 1, 65_535] { #expect(isRead(key, value), "\(key) \(value)") }
            for value: JSONValue in [0, 65_536, -1, "1"] { #expect(!isRead(key, value), "\(key) \(value)") }
        }
        for tier: JSONValue in [1, 4] { #expect(isRead("tier", tier)) }
        for tier: JSONValue in [0, 5, nil] { #expect(!isRead("tier", tier)) }
        for voice in LinkNotice.Allowed.voices { #expect(isRead("voice", .string(voice))) }
        #expect(!isRead("voice", "loud"))
    }
}
