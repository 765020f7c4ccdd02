import ArgumentParser

/// `make bench` builds and runs this; it is neither tested nor installed.
@main
struct GodwitBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "godwit-bench", abstract: "Measure codecs, spools, nodes and devices of Godwit.",
        discussion: "Run it as a release build on a machine that does nothing else.",
        subcommands: [
            EnqueueCommand.self, ScaleCommand.self, FillCommand.self, CodecCommand.self, RoutingCommand.self,
            SessionsCommand.self, GrowthAccountsCommand.self, GrowthMembersCommand.self, GrowthHistoryCommand.self,
            ClientSendCommand.self, ClientWeekCommand.self, ClientIdleCommand.self,
        ])
}

/// Where results go.
struct ReportOptions: ParsableArguments {
    @Flag(help: "Write one JSON object a benchmark instead of a table.")
    var json = false
    @Option(help: ArgumentHelp("Keep each result as DIR/NAME.json as well.", valueName: "dir"))
    var save: String?
}
