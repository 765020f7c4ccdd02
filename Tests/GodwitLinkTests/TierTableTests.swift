import Foundation
import GodwitLink
import GodwitProtocol
import Testing

/// The table of the handbook and the one in code are the same (NET-08 to NET-19).
@Suite("The table of tiers in the handbook")
struct TierTableTests {
    private static func yes(_ value: Bool) -> String { value ? "yes" : "no" }

    /// What each row of the document says, from the code.
    private static var rows: [(head: String, cell: (TierRules) -> String)] {
        [
            ("text, in Unicode scalars", { $0.textScalarsMax.map { "\($0)" } ?? "any" }),
            ("sealed text, in bytes", { $0.sealedMax.map { "\($0.bytes)" } ?? "any" }),
            (
                "voice",
                { rules in
                    switch rules.voice {
                    case .none: "none"
                    case .messages: "messages"
                    case .lowQuality: "low quality"
                    case .highQuality: "high quality"
                    }
                }
            ),
            (
                "voice, in kbit/s",
                { $0.voiceRate.map { "\($0.lowerBound / 1_000) to \($0.upperBound / 1_000)" } ?? "none" }
            ),
            ("documents", { yes($0.documents) }), ("images", { yes($0.images) }),
            ("thumbnails of themselves", { yes($0.thumbnails) }), ("video", { yes($0.video) }),
            ("media", { $0.mediaOnDemand ? "on demand" : "at once" }), ("presence", { yes($0.presence) }),
            ("typing", { yes($0.typing) }), ("session stays open", { yes($0.liveSession) }),
            ("metadata", { $0.reducedMetadata ? "reduced" : "whole" }),
            ("Brotli's quality", { "\($0.compressionQuality)" }), ("cover traffic", { yes($0.coverTraffic) }),
            ("requests of functions to the outside", { yes($0.outsideRequests) }),
            (
                "classes that go",
                { rules in
                    let held = PriorityClass.allCases.filter { !rules.allows($0) }.map(\.name)
                    return held.isEmpty ? "all" : "all but " + held.joined(separator: ", ")
                }
            ),
        ]
    }

    @Test("every row, every tier")
    func same() throws {
        let path = String(#filePath.dropLast("Tests/GodwitLinkTests/TierTableTests.swift".count)) + "docs/handbook.md"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex { $0.hasPrefix("| what goes over the link |") })
        let table = lines[(start + 2)...].prefix { $0.hasPrefix("|") }
        #expect(table.count == Self.rows.count)
        for (line, row) in zip(table, Self.rows) {
            let cells = [row.head] + Tier.allCases.map { row.cell(.of($0)) }
            #expect(line == "| " + cells.joined(separator: " | ") + " |")
        }
        #expect(
            lines[start] == "| what goes over the link | " + "Tier 1, below 10 kbit/s | Tier 2, below 100 kbit/s | "
                + "Tier 3, up to 1 Mbit/s | Tier 4, above |")
        for (rate, tier) in [(9_999, 1), (10_000, 2), (99_999, 2), (100_000, 3), (1_000_000, 3), (1_000_001, 4)] {
            #expect(Tier(rate: BitRate(bitsPerSecond: rate)).rawValue == tier)
        }
    }
}
