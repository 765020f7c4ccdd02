/// Rules about `Package.swift`.
enum ManifestRules {
    /// Names of all targets that the manifest declares, those of rooms included.
    static func targets(_ manifest: SourceFile) -> [String] {
        let makers: Set<String> = [
            "Room", "executableTarget", "target", "testTarget", "systemLibrary", "macro", "plugin",
        ]
        return manifest.tokens.indices.compactMap { index in
            guard makers.contains(manifest.tokens[index].text), manifest.word(at: index + 1) == "(",
                manifest.word(at: index + 2) == "name", manifest.word(at: index + 3) == ":",
                manifest.tokens.indices.contains(index + 4)
            else { return nil }
            return manifest.tokens[index + 4].literal.flatMap { $0.contains("\\(") ? nil : $0 }
        }
    }

    /// Every target of the manifest stands in the plan, and every room of the plan in the manifest.
    static func known(_ manifest: SourceFile) -> [Finding] {
        let planned = Set(HousePlan.rooms.keys).union(HousePlan.systemLibraries).union(HousePlan.houseTests)
            .union(HousePlan.benchmarks).union(HousePlan.writtenInC)
        let declared = Set(targets(manifest))
        let strangers = declared.subtracting(planned).map { "target \($0) does not stand in the plan" }
        let missing = planned.subtracting(declared).map { "\($0) stands in the plan, but is no target" }
        return (strangers + missing).sorted().map { Finding(path: manifest.path, line: 1, rule: $0) }
    }

    /// A room's dependencies on rooms are granted by the plan.
    static func dependencies(_ manifest: SourceFile) -> [Finding] {
        manifest.tokens.indices.flatMap { index -> [Finding] in
            guard manifest.tokens[index].text == "Room", manifest.word(at: index + 1) == "(",
                manifest.tokens.indices.contains(index + 4), let room = manifest.tokens[index + 4].literal
            else { return [] }
            let end = manifest.closing(index + 1)
            guard let list = (index..<end).first(where: { manifest.tokens[$0].text == "rooms" }) else { return [] }
            return manifest.tokens[list...manifest.closing(list + 2)].filter { token in
                guard let name = token.literal, HousePlan.rooms[name] != nil else { return false }
                return HousePlan.rooms[room]?.contains(name) != true
            }.map { manifest.finding($0, "\(room) may not depend on \($0.literal ?? "")") }
        }
    }
}
