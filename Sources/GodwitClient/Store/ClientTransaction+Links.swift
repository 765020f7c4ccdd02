import FoundationEssentials
import GRDB
import GodwitProtocol

/// What the links on the way carry, as nodes have told.
extension ClientTransaction {
    /// Links that are remembered; the ones heard of longest ago go first.
    static let linksMax = 256

    func take(_ notice: LinkNotice) throws {
        guard notice.to == context.party else {
            throw Rejected(.misdirected, "A link's status for another device arrived here.")
        }
        if let held = notice.held { try noteHeld(held, notice) }
        // Of the links of other nodes nothing is kept: which way they take is theirs to know.
        guard notice.from == context.home.id else { return }
        try run(
            """
            INSERT INTO client_link (node, at, status) VALUES (?, ?, ?)
            ON CONFLICT (node) DO UPDATE SET at = excluded.at, status = excluded.status WHERE excluded.at >= at
            """, [notice.next.text, notice.at.milliseconds, Data(notice.object.canonicalBytes())])
        try run(
            "DELETE FROM client_link WHERE node NOT IN (SELECT node FROM client_link ORDER BY at DESC LIMIT ?)",
            [Self.linksMax])
    }

    /// A message of this device waits; its author hears so once.
    private func noteHeld(_ hash: MessageHash, _ notice: LinkNotice) throws {
        let known = try integer(
            "SELECT count(*) FROM client_outbox WHERE hash = ? AND state IN ('sealed', 'at_node')", [Data(hash.bytes)])
        let told = try integer(
            "SELECT count(*) FROM client_warning WHERE code = ? AND subject = ?",
            [ClientWarning.Code.held.rawValue, hash.id.text])
        guard known ?? 0 > 0, told ?? 0 == 0 else { return }
        let limit = notice.allowed.sealedMax.map { ", which takes texts of at most \($0) bytes sealed" } ?? ""
        try warn(
            Rejected(
                .held, "A message waits at \(notice.from) for a better link to \(notice.next)\(limit).",
                hint: "It goes by itself when the link is better. `godwit send --split` sends a long text in parts."),
            about: hash.id.text)
    }

    /// The narrowest of the links that a text to a target takes, as far as this device was told.
    func narrowest(towards target: MessageTarget) throws -> LinkNotice? {
        var nodes: Set<String> = []
        switch target {
        case .user(let user): nodes = [user.node.text]
        case .channel(let channel):
            nodes = [channel.node.text]
            if channel.node == context.home.id {
                // The node at home passes it on to the sites of the members.
                nodes = Set(
                    try rows(
                        """
                        SELECT DISTINCT substr(m.user, 1, instr(m.user, '.') - 1) AS node
                        FROM client_member m JOIN client_channel c ON c.channel = m.channel
                        WHERE c.name = ? AND c.node = ? AND m.until IS NULL
                        """, [channel.name.text, channel.node.text]
                    ).map { $0["node"] as String })
            }
        }
        nodes.remove(context.home.id.text)
        return try nodes.compactMap { node in
            try row("SELECT status FROM client_link WHERE node = ?", [node]).flatMap { row -> LinkNotice? in
                guard case .linkStatus(let notice) = try ProtocolObject(parsing: row.blob("status")) else { return nil }
                return notice
            }
        }.min { ($0.allowed.textMax ?? .max, $0.next.text) < ($1.allowed.textMax ?? .max, $1.next.text) }
    }
}
