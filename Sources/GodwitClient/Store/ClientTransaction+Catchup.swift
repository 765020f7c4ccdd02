import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol

/// A device that was dark for longer than items live has missed changes and epochs of its channels, and nobody sends them
/// again. It asks to be let in again, which brings it the members and a secret.
extension ClientTransaction {
    /// Milliseconds of uptime after which a change that others follow does not come any more: a home node sends changes in
    /// their order.
    static let changePatience: Int64 = 600_000
    /// The same for an epoch, which may be under way on a stick.
    static let epochPatience: Int64 = 86_400_000

    /// Looks for channels whose changes or epochs have not come.
    func catchUp() throws {
        let age = try age()
        let changePatience = try patience(Self.changePatience)
        for row in try rows("SELECT * FROM client_channel WHERE state = 'member'") {
            let channel = try KnownChannel(row)
            if try missesChange(channel, since: age - changePatience) { try askAgain(for: channel) }
        }
        try catchUpToWrite(since: age - Self.epochPatience)
        let late = try rows(
            "SELECT body FROM client_pending WHERE kind = ? AND waits_for GLOB 'epoch:*' AND came <= ?",
            [BatchItem.Kind.message.rawValue, age - patience(Self.epochPatience)])
        var asked: Set<ChannelID> = []
        for row in late {
            guard case .channel(let id) = try Message(parsing: row.blob("body")).conversation,
                asked.insert(id).inserted, let channel = try channel(id)
            else { continue }
            try askAgain(for: channel)
        }
    }

    /// Something was written a day ago, and there is still no epoch that it may be written in. Of a device that was taken
    /// out while it was dark nothing comes any more by which it could notice that.
    private func catchUpToWrite(since age: Int64) throws {
        for row in try rows(
            """
            SELECT * FROM client_channel c WHERE state = 'member' AND (asked > ?2 OR asked <= ?2 - ?3) AND EXISTS (
              SELECT 1 FROM client_outbox WHERE state = 'waiting_keys' AND came <= ?1 AND target = c.name || ':' || c.node)
            """, [age, uptime, Self.epochPatience])
        {
            let channel = try KnownChannel(row)
            if try writingEpoch(of: channel) == nil { try askAgain(for: channel) }
        }
    }

    private func missesChange(_ channel: KnownChannel, since age: Int64) throws -> Bool {
        let name = Awaited.membership(channel.id, 0).text.dropLast()
        return try rows(
            "SELECT waits_for FROM client_pending WHERE substr(waits_for, 1, ?) = ? AND came <= ?",
            [name.count, String(name), age]
        ).contains { row in
            Int64((row["waits_for"] as String).dropFirst(name.count)).map { $0 > channel.applied } ?? false
        }
    }

    /// The members came as a list: changes before it are not waited for any more.
    func stopWaiting(forChangesOf channel: KnownChannel, upTo version: Int64) throws {
        let name = Awaited.membership(channel.id, 0).text.dropLast()
        for row in try rows(
            "SELECT DISTINCT waits_for FROM client_pending WHERE substr(waits_for, 1, ?) = ?",
            [name.count, String(name)])
        {
            let waited = Int64((row["waits_for"] as String).dropFirst(name.count))
            guard let waited, waited < version else { continue }
            arrived.append(.membership(channel.id, waited))
        }
    }

    /// This device was let in again: what was sealed in epochs that it has missed waits no longer for them, for it is asked
    /// for (`noteWaiting`).
    func stopWaiting(forEpochsOf channel: KnownChannel) throws {
        guard try newestEpoch(of: channel) != nil else { return }
        for row in try rows(
            """
            SELECT pending, body FROM client_pending WHERE kind = ? AND waits_for GLOB 'epoch:*' AND came <= ?
            """, [BatchItem.Kind.message.rawValue, try age() - Self.epochPatience])
        {
            let message = try Self.stored { try Message(parsing: row.blob("body")) }
            guard message.conversation == .channel(channel.id),
                try self.row(
                    "SELECT 1 FROM client_message WHERE hash = ? AND user = ? AND device = ?",
                    [Data(message.hash.bytes), message.author.text, message.device.text]) != nil
            else { continue }
            try stopReading(row["pending"])
        }
    }
}
