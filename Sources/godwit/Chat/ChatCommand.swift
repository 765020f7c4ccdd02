import ArgumentParser
import Glibc
import GodwitBatch
import GodwitClient
import GodwitContact
import GodwitProtocol

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Read and write in the terminal, live.",
        discussion: """
            Draws only what changes, so that it works over 1,200 baud. With TERM=dumb, --plain, or without a terminal it \
            prints lines and reads lines. /help inside lists the orders; each is also a command of its own.
            """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "What to open: #channel, #channel:node, @user-id or an alias.")
    var conversation: String?
    @Flag(help: "Lines instead of a full screen; with --json one object a line.")
    var plain = false
    @Flag(help: "Only ASCII; usual where the locale is not UTF-8.")
    var ascii = false
    @Option(help: "Seconds between calls to the home node; it calls by itself when something has come, where it can.")
    var every: Int?
    @Flag(name: .customLong("no-live"), help: "No standing connection: calls only.")
    var noLive = false
    @Option(help: "The line's speed, for drawing no more than it carries; usual: what the terminal says.")
    var baud: Int?

    func validate() throws {
        guard (1...86_400).contains(every ?? 60) else { throw ValidationError("--every is 1 to 86,400 seconds.") }
        guard (50...10_000_000).contains(baud ?? 300) else { throw ValidationError("--baud is 50 to 10,000,000.") }
    }

    func run() async throws {
        let files = ClientFiles(home)
        let live = noLive ? nil : try? Carriers.home(endpoint: files.endpoint(), pins: files.node().pins)
        let carrier: any Carrier = try live ?? files.carrier()
        try await files.withDevice { device in
            let model = ChatModel(own: device.userID, zone: Self.zone, ascii: ascii || !ChatTerminal.isUTF8)
            let session = ChatSession(
                device: device, carrier: carrier, every: .seconds(every ?? (live == nil ? 15 : 60)),
                opening: conversation)
            if plain || home.json || !ChatTerminal.isCapable {
                await LineChat(session: session, json: home.json).run(model)
            } else {
                await ScreenChat(session: session, baud: baud).run(model)
            }
        }
    }

    /// Seconds that local time is ahead of UTC.
    private static var zone: Int64 {
        var now = time(nil)
        var local = tm()
        return localtime_r(&now, &local) == nil ? 0 : Int64(local.tm_gmtoff)
    }
}
