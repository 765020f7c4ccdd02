import Foundation

/// Rules about documents.
enum DocumentRules {
    /// What the command line offers, as the manual has to name it.
    static let commands = [
        "node init", "node run", "node status", "node descriptor", "node invite", "node maintenance", "node audit",
        "node reset\\-factor", "node reload", "node backup", "node verify", "node restore", "peer add", "peer list",
        "device lock", "device unlock", "device change\\-passphrase", "device status", "identity create",
        "identity show",
        "identity verify", "identity export", "identity import", "identity move",
        "identity change\\-passphrase", "identity publish", "register",
        "contact list", "contact show", "contact verify", "contact unverify", "contact accept", "contact vouch",
        "contact block", "contact unblock", "contact alias", "chat", "search", "outbox", "channel create",
        "channel join", "channel list", "send", "read", "sync",
        "spool list", "spool show", "spool why", "spool verify", "spool export", "spool import", "spool resend",
        "link status", "link history", "link probe", "link broadcast", "dictionary train", "dictionary inspect",
        "dictionary bench", "demo",
    ]

    /// Exit codes of the command line; from 64 on, those of sysexits.h.
    static let exitCodes = [0, 1, 64, 65, 69, 74, 75, 77]

    /// Rooms without a row of their own in a table of the document.
    static func missingRooms(_ text: String) -> [String] {
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
        return HousePlan.rooms.keys.sorted().filter { room in !rows.contains { $0.hasPrefix("| `\(room)`") } }
    }

    /// Commands and exit codes that the page (roff) does not describe.
    static func missingFromManual(_ page: String) -> [String] {
        let lines = page.split(separator: "\n").map(String.init)
        let commands = commands.filter { command in
            let heads = [".B godwit \(command)", ".BI \"godwit \(command)", ".BR \"godwit \(command)"]
            return !lines.contains { line in heads.contains { line == $0 || line.hasPrefix($0 + " ") } }
        }
        let codes = exitCodes.filter { !lines.contains(".B \($0)") }
        return commands + codes.map { "exit code \($0)" }
    }

    /// Targets of Markdown links that name a file beside the document, without their fragments.
    static func relativeLinks(_ text: String) -> [String] {
        text.components(separatedBy: "](").dropFirst().compactMap { rest in
            guard let target = rest.split(separator: ")", omittingEmptySubsequences: false).first,
                let file = target.split(separator: "#", omittingEmptySubsequences: false).first,
                !file.isEmpty, !target.contains("://"), !target.contains(" ")
            else { return nil }
            return String(file)
        }
    }
}
