import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What is due by time. All times are uptime of this device, never the clock on the wall (D-16).
extension ClientTransaction {
    /// Ends what has lived too long, and follows it up: a message is shown as expired, a question is asked again as long
    /// as something waits for its answer.
    func expire() throws {
        let elapsed = try passTime()
        var ended = try spool.expire(elapsed: elapsed)
        while !ended.isEmpty {
            for item in ended { try followUp(item) }
            ended = try spool.expire(elapsed: 0)
        }
        try expireWaiting()
        try expirePending()
        try repeatLookups()
        try repeatCreations()
        try repeatEpochs()
        try renewPreKeys()
        try pruneSessions()
        try forgetStruck()
    }

    /// - Returns: milliseconds since the last call, as far as the machine can tell.
    private func passTime() throws -> Int64 {
        let last = try integer("SELECT uptime FROM client_identity") ?? 0
        // An uptime below the last one: the machine was started anew since.
        let elapsed = last == 0 ? 0 : uptime >= last ? uptime - last : uptime
        try run("UPDATE client_identity SET uptime = ?, age = age + ?", [uptime, elapsed])
        return elapsed
    }

    /// Something expired in the queue to the home node. Questions need nothing here: they are asked again by age.
    private func followUp(_ item: SpoolItem) throws {
        switch item.kind {
        case .message:
            try run(
                "UPDATE client_outbox SET state = 'expired', error = ? WHERE hash = ? AND state = 'sealed'",
                [stored(Self.notTaken), Data(item.id.bytes)])
        case .object:
            let digest = Data(SHA256Digest.of(item.body))
            try run("UPDATE client_channel SET expired = 1 WHERE command = ? AND state = 'joining'", [digest])
            try run("UPDATE client_epoch SET unsent = ? WHERE item = ?", [Data(item.body), digest])
            try leaveAgain(digest)
            if case .epochKey(let key)? = try? ProtocolObject(parsing: item.body) { try handOutAgain(key) }
        case .receipt: return
        }
    }

    /// The home node never took the command with which this user leaves a channel.
    private func leaveAgain(_ command: Data) throws {
        guard let row = try row("SELECT * FROM client_channel WHERE leaves = ?", [command]) else { return }
        let channel = try KnownChannel(row)
        guard channel.state == .member || channel.state == .joining else { return }
        do {
            try inSavepoint { try self.leave(channel.id) }
        } catch let error as ProtocolError where error.code == .bandwidthExceeded {
            // Nothing goes by itself then, and nothing says that it does.
            try run("UPDATE client_channel SET leaves = NULL WHERE channel = ?", [channel.row])
            try warn(
                Rejected(.expired, "Leaving a channel was not handed over in time.", hint: "Leave it again."),
                about: channel.id.text)
        }
    }

    /// Messages whose keys never came.
    private func expireWaiting() throws {
        try run(
            "UPDATE client_outbox SET state = 'expired', error = ? WHERE state = 'waiting_keys' AND came <= ?",
            [stored(Self.noKeys), try age() - Message.defaultLifetime])
    }

    /// Milliseconds of uptime until keys that did not come are asked for again.
    static let lookupPatience: Int64 = 259_200_000

    /// Asks again what was handed over and brought no answer for three days, if something still waits for it: the question
    /// or its answer may have expired while this device or a node was dark.
    private func repeatLookups() throws {
        for row in try rows(
            "SELECT user, queued FROM client_lookup WHERE asked <= ?", [try age() - patience(Self.lookupPatience)])
        {
            let custody = try row.optionalBlob("queued").map { try spool.custody(of: ItemID($0)) } ?? []
            guard !custody.contains(where: { $0.state == .waiting || $0.state == .framed }) else { continue }
            let user = try Self.stored { try UserID(row["user"] as String) }
            do {
                try inSavepoint {
                    try self.run("DELETE FROM client_lookup WHERE user = ?", [user.text])
                    let waits = try self.row(
                        "SELECT 1 FROM client_outbox WHERE state = 'waiting_keys' AND target = ? LIMIT 1",
                        [MessageTarget.user(user).description])
                    if waits != nil { try self.lookUp(user) }
                }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // Asked again once there is room. A contact, which makes room, must not fail for it.
                return
            }
        }
    }

    /// Queues epochs again whose starting objects the home node never took: nobody else could read in them.
    private func repeatEpochs() throws {
        for row in try rows("SELECT name, unsent FROM client_epoch WHERE unsent IS NOT NULL AND next IS NOT NULL") {
            let body = row.blob("unsent")
            let object = try Self.stored {
                try JSONObject.parse(body, limits: JSONLimits(bytes: ProtocolObject.bytesMax))
            }
            do {
                try enqueue(object, nonce: nextCounter())
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
            try run("UPDATE client_epoch SET unsent = NULL WHERE name = ?", [row["name"] as Data])
        }
    }

    private func stored(_ error: ProtocolError) -> Data { Data(error.object(at: now).canonicalBytes()) }

    private static let notTaken = ProtocolError(
        .nodeUnreachable, "The message's lifetime ended before the home node took it.",
        hint: "Send it again when the node can be reached.")
    private static let noKeys = ProtocolError(
        .nodeUnreachable, "The keys that the message waited for did not come within its lifetime.",
        hint: "Check that the reader or the channel exists and that its node can be reached, then send it again.")
}
