import ArgumentParser

/// What can be varied in a demo.
struct DemoOptions: ParsableArguments {
    @Option(help: "JSON lines {ts, author, channel or to, text} to carry instead of the built-in conversation.")
    var corpus: String?
    @Option(help: "Rate of the emulated link each way, bit/s.")
    var rate = 9600
    @Option(help: "Round trip of the emulated link, milliseconds.")
    var rtt = 600
    @Option(help: "Share of the segments that are lost, 0 to 0.5.")
    var loss = 0.01
    @Option(help: "Length of the outage in the middle of a batch, seconds; 0: none.")
    var outage = 6.0
    @Option(help: "Seed of everything that is drawn.")
    var seed: UInt64 = 1
    @Option(help: "Client processes, 4 to 32.")
    var clients = 4
    @Option(help: "Kill a node with SIGKILL so many times at random moments, and start it again.")
    var kills = 0
    @Option(help: "Give up after so many seconds of conversation.")
    var limit = 900
    @Option(help: "Write all bytes that cross the link to this file.")
    var capture: String?
    @Flag(help: "Serve the nodes without TLS, so that a capture shows what lies beneath it.")
    var clear = false
    @Option(help: "Keep the state of all processes in this directory.")
    var keep: String?

    // For measurements over a link that something else emulates, between two network namespaces (needs root).
    @Option(help: .hidden)
    var shoreNamespace: String?
    @Option(help: .hidden)
    var fieldNamespace: String?
    @Option(help: .hidden)
    var shoreAddress = "127.0.0.1"
    @Option(help: .hidden)
    var fieldAddress = "127.0.0.1"
    /// Process that gets SIGUSR2 when the conversation begins and SIGUSR1 when it has ended.
    @Option(help: .hidden)
    var emulator: Int32?
    /// Profile of the link by name, instead of one made from rate, round trip and loss.
    @Option(help: .hidden)
    var profile: String?
    /// The nodes talk in datagrams.
    @Flag(help: .hidden)
    var datagrams = false
    /// All authors are at home in the field; one reader at the shore. The link is opened when all has been written.
    @Flag(help: .hidden)
    var oneWay = false

    /// Something else than the relay is the link.
    var isExternal: Bool { shoreNamespace != nil }

    func validate() throws {
        guard (300...1_000_000_000).contains(rate) else { throw ValidationError("--rate is 300 to 1000000000.") }
        guard (0...60_000).contains(rtt) else { throw ValidationError("--rtt is 0 to 60000.") }
        guard (0...0.5).contains(loss) else { throw ValidationError("--loss is 0 to 0.5.") }
        guard (4...32).contains(clients) else { throw ValidationError("--clients is 4 to 32.") }
        guard (0...86_400).contains(outage) else { throw ValidationError("--outage is 0 to 86400.") }
        guard isExternal || !datagrams && !oneWay else {
            throw ValidationError("--datagrams and --one-way need namespaces: the relay carries TCP.")
        }
        guard kills >= 0, limit > 0 else { throw ValidationError("Times and counts are not negative.") }
    }
}
