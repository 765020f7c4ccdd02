import Testing

/// Every rule catches what it is there for, and lets its neighbours pass.
@Suite("The rules")
struct RuleTests {
    private func source(_ text: String, room: String = "GodwitSpool", name: String = "A.swift") -> SourceFile {
        SourceFile(path: "Sources/\(room)/\(name)", text: text)
    }

    @Test(
        "an import outside the table is caught",
        arguments: [
            ("GodwitSpool", "import GodwitNode"), ("GodwitClient", "public import GodwitNode"),
            ("GodwitNode", "@preconcurrency import GodwitCarrier"),
            ("GodwitNode", "import struct GodwitServer.NodeServer"),
            ("GodwitProtocol", "#if os(Linux)\n    internal import GodwitLink\n#endif"),
        ])
    func badImport(room: String, text: String) {
        #expect(ImportRules.table(source(text, room: room)).count == 1)
    }

    @Test("an import inside the table passes, and so does its name in a string or comment")
    func goodImport() {
        let text = """
            public import GodwitProtocol  // import GodwitNode
            import NIOCore
            let a = "import GodwitServer"
            """
        #expect(ImportRules.table(source(text)).isEmpty)
        #expect(ImportRules.table(source("import GodwitContact", room: "GodwitClient")).isEmpty)
    }

    @Test("a test that imports past its room is caught")
    func testImports() {
        let path = "Tests/GodwitSpoolTests/A.swift"
        #expect(ImportRules.table(SourceFile(path: path, text: "@testable import GodwitSpool")).isEmpty)
        #expect(ImportRules.table(SourceFile(path: path, text: "import GodwitNode")).count == 1)
    }

    @Test(
        "a foreign library outside its room is caught",
        arguments: [
            ("godwit", "GRDB"), ("GodwitServer", "GRDB"), ("GodwitNode", "CCurl"), ("GodwitNode", "HummingbirdCore"),
            ("GodwitClient", "CSodium"), ("GodwitBatch", "CBrotli"), ("GodwitLink", "Yams"),
            ("GodwitContact", "NIOCore"),
        ])
    func foreign(room: String, module: String) {
        #expect(ImportRules.ownership(source("import \(module)", room: room)).count == 1)
    }

    @Test("a foreign library in its own room passes")
    func ownForeign() {
        for (module, room) in [("GRDB", "GodwitNode"), ("CCurl", "GodwitCarrier"), ("HummingbirdTLS", "GodwitServer")] {
            #expect(ImportRules.ownership(source("import \(module)", room: room)).isEmpty)
        }
    }

    @Test("Foundation is caught, its essentials in pure rooms too, generated code excepted")
    func foundation() {
        #expect(ImportRules.foundation(source("import Foundation")).count == 1)
        #expect(ImportRules.foundation(source("import FoundationEssentials")).isEmpty)
        #expect(ImportRules.foundation(source("import FoundationEssentials", room: "GodwitLink")).count == 1)
        #expect(ImportRules.foundation(source("import Foundation", room: "GodwitBatch", name: "a.pb.swift")).isEmpty)
    }

    @Test("a file outside the rooms is caught")
    func place() {
        for path in ["Sources/Utilities/A.swift", "Sources/A.swift", "Tests/OddTests/A.swift", "Tests/A.swift"] {
            #expect(ImportRules.place(path: path).count == 1, "\(path)")
        }
        for path in ["Sources/GodwitLink/Tier/Tier.swift", "Sources/CCurl/shim.h", "Tests/GodwitLinkTests/A.swift"] {
            #expect(ImportRules.place(path: path).isEmpty, "\(path)")
        }
    }

    @Test("a target that the plan does not know is caught, and so is a forbidden dependency")
    func manifest() {
        let text = """
            let rooms = [
                Room(name: "GodwitSpool", rooms: ["GodwitProtocol", "GodwitNode"]),
                Room(name: "GodwitAttic"),
            ]
            """
        let manifest = SourceFile(path: "Package.swift", text: text)
        #expect(ManifestRules.known(manifest).contains { $0.rule.contains("GodwitAttic does not stand in the plan") })
        #expect(ManifestRules.known(manifest).contains { $0.rule.contains("GodwitLink stands in the plan") })
        #expect(ManifestRules.dependencies(manifest).map(\.rule) == ["GodwitSpool may not depend on GodwitNode"])
    }

    @Test("500 lines are enough, 501 are too many")
    func fileSize() {
        #expect(SizeRules.file(source(String(repeating: "\n", count: 500))).isEmpty)
        #expect(SizeRules.file(source(String(repeating: "\n", count: 501))).count == 1)
        #expect(SizeRules.file(source(String(repeating: "\n", count: 500) + "x")).count == 1)
        #expect(SizeRules.file(source(String(repeating: "\n", count: 501), name: "a.pb.swift")).isEmpty)
    }

    @Test(
        "a function of 60 lines passes, one of 61 is caught",
        arguments: [
            "func f<T>(_ a: Int = { 3 }()) async throws(E) -> [T] where T: Hashable {", "init?(a: (Int, Int)) {",
            "deinit {", "var body: [Int] {", "subscript(a: Int) -> Int {",
        ])
    func functionSize(head: String) {
        func file(_ lines: Int) -> SourceFile {
            let tricks = "    let a = \"{ \\(b.map { \"}\" }) {\" /* { */ // {\n"
            let filler = String(repeating: "    x += 1\n", count: lines - 3)
            return source("struct S {\n    let y = 1\n" + head + "\n" + tricks + filler + "}\n}\n")
        }
        #expect(SizeRules.functions(file(60)).isEmpty)
        #expect(SizeRules.functions(file(61)).map(\.line) == [3])
    }

    @Test("a requirement without a body does not borrow the next one's braces")
    func requirement() {
        let filler = String(repeating: "    let a = 1\n", count: 80)
        let text =
            "protocol P {\n    func f(\n        a: Int\n    ) -> Int\n    var v: Int { get }\n}\nstruct S {\n\(filler)}\n"
        #expect(SizeRules.functions(source(text)).isEmpty)
        #expect(SizeRules.functions(source("struct S {\n    var p: P = .init(a: 1)\n\(filler)}\n")).isEmpty)
    }

    @Test(
        "banned calls are caught",
        arguments: [
            "let a = try! f()", "let a = \"\\(try! f())\"", "fatalError(\"no\")", "print(1)", "Swift.print(1)",
            "debugPrint(1)",
            "Task { await f() }", "_ = Task { await f() }", "func f() {\n    Task.detached { }\n}",
            "Task(priority: .low) { }",
            "Task<Void, Never> { }", "let s = URLSession.shared", "let p = Process()", "let f = DateFormatter()",
            "let s = AsyncStream<Int>.makeStream()", "let s = AsyncStream.makeStream(of: Int.self)",
            "let s = AsyncStream<Int> { _ in }", "AsyncStream.makeStream(of: Int.self, bufferingPolicy: .unbounded)",
            "struct S: @unchecked Sendable {}", "/// Keeps things.\nfinal class S: P,\n    @unchecked Sendable {}",
        ])
    func banned(text: String) {
        #expect(CallRules.all.flatMap { $0(source(text)) }.count == 1, "\(text)")
    }

    @Test(
        "their neighbours pass",
        arguments: [
            "let a = try f()", "let a = try !f()", "// try! f()", "let a = \"try! print(1) fatalError()\"",
            "let a = #\"\"\"\ntry! f()\n\"\"\"#",
            "console.print(1)", "func print(_ a: Int) {}", "let t = Task { 1 }", "tasks.append(Task { 1 })",
            "return Task { 1 }", "try await Task.sleep(for: .seconds(1))", "if Task.isCancelled { return }",
            "var t: Task<Void, any Error>?", "let process = ChildProcess()", "func s() -> AsyncStream<Int> { a }",
            "let s = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingOldest(8))",
            "// Guarded by `lock`.\nfinal class S: @unchecked Sendable {}",
            "/// Never changes after init, so it is Sendable.\nstruct S: @unchecked Sendable {}",
            "let r = /\"try! \\/ f()/\nlet b = 1", "a /* /* try! */ fatalError() */",
        ])
    func allowed(text: String) {
        let findings = CallRules.all.flatMap { $0(source(text)) }
        #expect(findings.isEmpty, "\(text): \(findings)")
    }

    @Test("the console of the command line prints, no other room's does")
    func console() {
        let text = "func show() { Swift.print(1) }"
        #expect(CallRules.printing(source(text, room: "godwit", name: "Console.swift")).isEmpty)
        #expect(CallRules.printing(source(text, room: "GodwitNode", name: "Console.swift")).count == 1)
    }

    @Test("work left over is caught in comments, not in words")
    func leftovers() {
        #expect(CommentRules.leftovers(source("let a = 1  // TODO: more")).map(\.line) == [1])
        #expect(CommentRules.leftovers(source("\n/* FIXME */")).map(\.line) == [2])
        #expect(CommentRules.leftovers(source("let a = \"TODO\"  // todos")).isEmpty)
    }

    @Test("a document that leaves a room out is caught")
    func documents() {
        let rows = HousePlan.rooms.keys.map { "| `\($0)` | what it is |" }
        #expect(DocumentRules.missingRooms(rows.joined(separator: "\n")).isEmpty)
        let short = rows.filter { !$0.contains("GodwitLink") }.joined(separator: "\n")
        #expect(DocumentRules.missingRooms(short + "\nGodwitLink is elsewhere") == ["GodwitLink"])
    }

    @Test("a command or exit code that the manual leaves out is caught")
    func manual() {
        var lines = DocumentRules.commands.map { ".B godwit \($0)" } + DocumentRules.exitCodes.map { ".B \($0)" }
        #expect(DocumentRules.missingFromManual(lines.joined(separator: "\n")).isEmpty)
        lines.removeAll { $0 == ".B godwit spool verify" || $0 == ".B 75" }
        #expect(DocumentRules.missingFromManual(lines.joined(separator: "\n")) == ["spool verify", "exit code 75"])
    }

    @Test("links to files are found, links to the web and to headings are not")
    func links() {
        let text = "[a](docs/a.md) [b](b.md#part) [c](https://example.org/c.md) [d](#part) f](x y)"
        #expect(DocumentRules.relativeLinks(text) == ["docs/a.md", "b.md"])
    }
}
