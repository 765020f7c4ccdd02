import GodwitLink
import GodwitProtocol
import Synchronization

/// Shows a demo while it runs, and its end.
final class DemoDisplay: Sendable {
    private let isQuiet: Bool
    private let lines = Mutex(0)

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    /// A step of the preparation.
    func step(_ text: String) {
        if !isQuiet { Console.out(text) }
    }

    /// The state of things, drawn over the one before on a terminal.
    func show(_ rows: [String]) {
        guard !isQuiet else { return }
        guard Console.isTerminal else { return Console.out(rows.joined(separator: " | ")) }
        let up = lines.withLock { count in
            defer { count = rows.count }
            return count
        }
        let back = up > 0 ? "\u{1B}[\(up)A" : ""
        // A row that wrapped would be two, and the next drawing begin too low.
        let cells = Terminal.columns
        Console.raw(
            back + rows.map { "\u{1B}[2K" + Terminal.cut(Console.printable($0), to: cells) + "\n" }.joined())
    }

    static func table(_ result: DemoResult) {
        let ledger = result.ledger
        let count = max(1, ledger.accepted.count)
        let bytes = result.link.up.charged + result.link.down.charged
        Console.out("")
        Console.table(
            ["messages", ""],
            [
                ["accepted", "\(ledger.accepted.count)"],
                ["delivered to all readers", "\(ledger.complete)"],
                ["copies read", "\(ledger.delivered) of \(ledger.expectedCopies)"],
                ["lost", "\(ledger.lost)"], ["duplicated", "\(ledger.duplicated)"],
                ["out of order", "\(ledger.outOfOrder)"], ["altered", "\(ledger.altered)"],
            ])
        Console.out("")
        Console.table(
            ["link", ""],
            [
                ["bytes up", "\(ByteCount(result.link.up.charged))"],
                ["bytes down", "\(ByteCount(result.link.down.charged))"],
                ["per message", "\(ByteCount(bytes / count)) both ways together"],
                [
                    "as plain JSON",
                    "\(ByteCount(result.jsonBytes)), \(ByteCount(result.jsonBytes / count)) per message",
                ],
                ["losses", "\(result.link.up.losses + result.link.down.losses) segments went again"],
                ["time", "\(tenths(result.seconds)) s; the link itself needs \(tenths(result.limitSeconds)) s"],
            ])
        for complaint in result.complaints.prefix(5) { Console.out("note: \(complaint)") }
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
