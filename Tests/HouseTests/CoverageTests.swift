import Foundation
import Testing

/// The table of requirements and tests (docs/coverage.md) is made from what the tests cite.
@Suite("Coverage")
struct CoverageTests {
    @Test("every requirement has a test or a reason, and docs/coverage.md says which")
    func table() throws {
        let root = Repository().root
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = root.appendingPathComponent("Tests/Coverage/coverage.py").path
        process.arguments = ["python3", "-B", script, "--check"]
        let complaints = Pipe()
        process.standardError = complaints
        try process.run()
        let text = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }
}
