import ArgumentParser
import Glibc

@main
struct Godwit: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "godwit",
        abstract: "Carries end-to-end encrypted chat over links that are slow, dear, lossy or mostly absent.",
        discussion: """
            Exit codes: 0 done, 1 failed, 64 wrong usage, 65 bad input, 69 peer or node not reachable,
            75 try again later, 77 refused: keys or permissions.
            """,
        version: version,
        subcommands: [
            ChatCommand.self, NodeCommand.self, PeerCommand.self, IdentityCommand.self, RegisterCommand.self,
            DeviceCommand.self, ChannelCommand.self,
            SendCommand.self, DeleteCommand.self, ReadCommand.self, HistoryCommand.self, SaveCommand.self,
            SearchCommand.self,
            ContactCommand.self, OutboxCommand.self, WarningsCommand.self, SyncCommand.self,
            SpoolCommand.self, LinkCommand.self,
            DictionaryCommand.self, DemoCommand.self, DemoClientCommand.self,
        ])

    static func main() async {
        Arenas.limit()
        // libcurl and pipes to children would end the process otherwise.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error)
        }
    }
}
