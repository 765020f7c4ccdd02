import ArgumentParser
import FoundationEssentials

/// What every command takes.
struct HomeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Directory of state.", valueName: "directory"))
    var home: String = HomeOptions.standard

    @Flag(help: "Write JSON, one object a line.")
    var json = false

    private static var standard: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["GODWIT_HOME"] ?? (environment["HOME"] ?? ".") + "/.godwit"
    }

    var nodeDirectory: String { home + "/node" }
    var clientDirectory: String { home + "/client" }
    var controlPath: String { nodeDirectory + "/control.sock" }
}
