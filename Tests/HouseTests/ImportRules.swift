/// Rules about imports and about where a file may lie.
enum ImportRules {
    private static let kinds: Set<String> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    /// Modules that a file imports, each with the token that names it.
    static func imports(of file: SourceFile) -> [(module: String, token: Token)] {
        file.tokens.indices.compactMap { index in
            guard file.tokens[index].text == "import", file.word(at: index - 1) != "." else { return nil }
            var next = index + 1
            if let kind = file.word(at: next), kinds.contains(kind) { next += 1 }
            guard file.tokens.indices.contains(next), file.tokens[next].isWord,
                file.tokens[next].line == file.tokens[index].line
            else { return nil }
            return (file.tokens[next].text, file.tokens[next])
        }
    }

    /// A room imports only the rooms that the plan grants it; a test imports only its room and what that may import.
    static func table(_ file: SourceFile) -> [Finding] {
        guard let folder = file.folder else { return [] }
        let room = file.isSource ? folder : String(folder.dropLast(folder.hasSuffix("Tests") ? 5 : 0))
        guard var allowed = HousePlan.rooms[room] else { return [] }
        if !file.isSource {
            allowed.insert(room)
            allowed.formUnion(HousePlan.testImports[room] ?? [])
        }
        return imports(of: file).filter { HousePlan.rooms[$0.module] != nil && !allowed.contains($0.module) }
            .map { file.finding($0.token, "\(room) may not import \($0.module)") }
    }

    /// A foreign library is imported by the rooms that own it only.
    static func ownership(_ file: SourceFile) -> [Finding] {
        guard file.isSource, let room = file.folder else { return [] }
        return imports(of: file).compactMap { found in
            guard let owners = HousePlan.owners(of: found.module), !owners.contains(room) else { return nil }
            return file.finding(
                found.token, "\(found.module) belongs to \(owners.sorted().joined(separator: ", ")), not to \(room)")
        }
    }

    /// No Foundation: `FoundationEssentials` outside the pure rooms, nothing of it inside them.
    static func foundation(_ file: SourceFile) -> [Finding] {
        guard file.isSource, !file.path.hasSuffix(".pb.swift"), let room = file.folder else { return [] }
        return imports(of: file).compactMap { found in
            switch found.module {
            case "FoundationEssentials" where !HousePlan.pure.contains(room): nil
            case let module where module.hasPrefix("Foundation"): file.finding(found.token, "no \(module) in \(room)")
            default: nil
            }
        }
    }

    /// Every file under `Sources` and `Tests` lies in a folder that the plan knows.
    static func place(path: String) -> [Finding] {
        let parts = path.split(separator: "/").map(String.init)
        let known: Bool =
            switch parts.first {
            case "Sources":
                parts.count > 2
                    && (HousePlan.rooms[parts[1]] != nil || HousePlan.systemLibraries.contains(parts[1])
                        || HousePlan.writtenInC.contains(parts[1]))
            case "Tests":
                parts.count > 2
                    && (HousePlan.houseTests.contains(parts[1])
                        || ["Interop", "Vectors", "Fuzz", "Coverage"].contains(parts[1])
                        || (parts[1].hasSuffix("Tests") && HousePlan.rooms[String(parts[1].dropLast(5))] != nil))
            default: true
            }
        return known ? [] : [Finding(path: path, line: 1, rule: "lies in no room of the house")]
    }
}
