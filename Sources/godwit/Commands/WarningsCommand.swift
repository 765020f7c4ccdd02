import ArgumentParser
import GodwitClient
import GodwitProtocol

struct WarningsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warnings", abstract: "Show what arrived and was not used, and what its user should know.",
        discussion: """
            Newest first; what came again stands once, with how often. `key_changed` and `copied` ask for a decision of \
            yours, the others explain why something is missing or came otherwise. Does not call the node.
            """)

    @OptionGroup var home: HomeOptions
    @Option(help: "Only of this kind, such as key_changed.")
    var code: String?
    @Option(help: "At most so many, the newest.")
    var limit = 50

    private var kind: ClientWarning.Code? { code.flatMap { ClientWarning.Code(rawValue: $0) } }

    func validate() throws {
        guard code == nil || kind != nil else {
            let kinds = ClientWarning.Code.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--code is one of \(kinds).")
        }
    }

    func run() async throws {
        try await ClientFiles(home).withDevice { device in
            let warnings = try await device.warnings(limit: max(0, limit), code: kind)
            if warnings.isEmpty, !home.json { Console.out("There are none.") }
            for warning in warnings {
                home.json ? Console.json(WarningLine.object(warning)) : Console.out(WarningLine.text(warning))
            }
        }
    }
}

/// How a warning stands in a terminal, and as JSON.
enum WarningLine {
    static func text(_ warning: ClientWarning) -> String {
        "\(warning.at)  \(warning.code.rawValue)  \(sentence(warning))"
            + (warning.times > 1 ? " (\(warning.times) times)" : "")
    }

    /// What it is about, what it says, and what to do.
    static func sentence(_ warning: ClientWarning) -> String {
        let about = warning.subject.map { $0 + ": " } ?? ""
        return TextCells.clean(about + warning.message + (warning.hint.map { " " + $0 } ?? ""))
    }

    static func object(_ warning: ClientWarning) -> JSONObject {
        var object: JSONObject = [
            "row": .integer(warning.row), "timestamp": .string(warning.at.description),
            "code": .string(warning.code.rawValue), "message": .string(warning.message),
            "times": .integer(warning.times),
        ]
        if let hint = warning.hint { object["hint"] = .string(hint) }
        if let subject = warning.subject { object["subject"] = .string(subject) }
        return object
    }
}
