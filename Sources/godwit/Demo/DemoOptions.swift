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
    @Option(help: "Keep the state of all processes in this directory.")
    var keep: String?

    func validate() throws {
        guard (300...1_000_000_000).contains(rate) else { throw ValidationError("--rate is 300 to 1000000000.") }
        guard (0...60_000).contains(rtt) else { throw ValidationError("--rtt is 0 to 60000.") }
        guard (0...0.5).contains(loss) else { throw ValidationError("--loss is 0 to 0.5.") }
        guard (4...32).contains(clients) else { throw ValidationError("--clients is 4 to 32.") }
        guard outage >= 0, kills >= 0, limit > 0 else { throw ValidationError("Times and counts are not negative.") }
    }
}
