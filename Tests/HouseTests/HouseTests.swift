import Foundation
import Testing

/// The rules of the house, applied to the checkout. That each rule can fail is shown in `RuleTests`.
@Suite("The house")
struct HouseTests {
    private let repository = Repository()
    private let files: [SourceFile]

    init() throws { files = try repository.swiftFiles() }

    private func check(_ rule: (SourceFile) -> [Finding]) {
        let findings = files.flatMap(rule)
        #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test("the files are found: every room has sources")
    func finds() {
        let folders = Set(files.filter(\.isSource).compactMap(\.folder))
        #expect(folders == Set(HousePlan.rooms.keys))
    }

    @Test("rooms import only what the table grants them")
    func table() { check(ImportRules.table) }

    @Test("foreign libraries are imported by their owners only")
    func ownership() { check(ImportRules.ownership) }

    @Test("no Foundation in the rooms")
    func foundation() { check(ImportRules.foundation) }

    @Test("every file lies in a known room")
    func places() throws {
        let paths = try repository.paths(under: "Sources") + repository.paths(under: "Tests")
        let findings = paths.flatMap(ImportRules.place)
        #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test("the manifest and the table know the same targets")
    func manifest() throws {
        let manifest = SourceFile(path: "Package.swift", text: try repository.text("Package.swift"))
        let findings = ManifestRules.known(manifest) + ManifestRules.dependencies(manifest)
        #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test("no file is longer than 500 lines")
    func fileSizes() { check(SizeRules.file) }

    @Test("no function is longer than 60 lines")
    func functionSizes() { check(SizeRules.functions) }

    @Test("no banned call in the sources")
    func calls() {
        for rule in CallRules.all {
            check { $0.isSource && !$0.isGenerated ? rule($0) : [] }
        }
    }

    @Test("no work is left over in comments")
    func leftovers() { check { $0.isGenerated ? [] : CommentRules.leftovers($0) } }

    @Test("the README and the architecture name every room", arguments: ["README.md", "docs/architecture.md"])
    func documents(path: String) throws {
        let missing = DocumentRules.missingRooms(try repository.text(path))
        #expect(missing.isEmpty, "\(path) has no table row for \(missing)")
    }

    @Test("the manual describes every command and every exit code")
    func manual() throws {
        let page = try repository.text("docs/man/godwit.1")
        let missing = DocumentRules.missingFromManual(page)
        #expect(missing.isEmpty, "docs/man/godwit.1 lacks \(missing)")
    }

    @Test("links between documents lead somewhere")
    func links() throws {
        let documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "spool/README.md"]
        for path in try documents + repository.paths(under: "docs").filter({ $0.hasSuffix(".md") }) {
            let folder = path.contains("/") ? path.split(separator: "/").dropLast().joined(separator: "/") + "/" : ""
            for link in DocumentRules.relativeLinks(try repository.text(path)) {
                let target = repository.root.appendingPathComponent(folder + link).path
                #expect(FileManager.default.fileExists(atPath: target), "\(path) links to \(link)")
            }
        }
    }
}
