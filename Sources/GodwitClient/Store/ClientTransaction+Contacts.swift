import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// A device of a contact, as its user has certified it.
struct KnownDevice {
    var signingKey: [UInt8]
    var agreementKey: [UInt8]
    /// Numbers of the phrase models that it can read.
    var models: Set<UInt8>
    /// Kind of its post-quantum pre-keys, if it has some.
    var kem: String?
}

extension ClientTransaction {
    func device(_ user: UserID, _ device: DeviceID) throws -> KnownDevice? {
        try self.device("client_device", user, device)
    }

    /// The device of an author, also if it was struck from the user's list since: what it had sent by then may be under way
    /// for as long as anything is. Nothing is sent to such a device; what it sends later no node of its user takes.
    func authorDevice(_ user: UserID, _ device: DeviceID) throws -> KnownDevice? {
        try self.device(user, device) ?? self.device("client_struck", user, device)
    }

    private func device(_ table: String, _ user: UserID, _ device: DeviceID) throws -> KnownDevice? {
        try row(
            "SELECT signing_key, agreement_key, models, kem FROM \(table) WHERE user = ? AND device = ?",
            [user.text, device.text]
        ).map { row in
            KnownDevice(
                signingKey: row.blob("signing_key"), agreementKey: row.blob("agreement_key"),
                models: PhraseModelNumbers(text: row["models"]).numbers, kem: row["kem"])
        }
    }

    /// Whether a device list of the user is known.
    func isKnown(_ user: UserID) throws -> Bool {
        try row("SELECT 1 FROM client_contact WHERE user = ?", [user.text]) != nil
    }

    /// Takes over a user's device list. The identity key is pinned when first seen; versions only grow.
    ///
    /// - Throws: `Rejected` `.keyChanged` for another key than the pinned one, `ProtocolError` 1000 for a bad signature.
    func introduce(_ user: UserID, publicKey: [UInt8], list: DeviceList) throws {
        let known = try row("SELECT public_key, version, list FROM client_contact WHERE user = ?", [user.text])
        if let known, known.blob("public_key") != publicKey {
            // A list that the other key has not signed is nothing that could be accepted.
            let isSigned = (try? KeyChecks.verify(list, signedBy: publicKey)) != nil
            throw Rejected(
                .keyChanged, "A user shows another identity key than before; the first one is kept.",
                hint: "Compare the keys with the user over another way before you trust the new one.",
                change: isSigned ? KeyChange(user: user, publicKey: publicKey, list: list) : nil)
        }
        guard list.version > known?["version"] as Int64? ?? 0 else { return }
        try KeyChecks.verify(list, signedBy: publicKey)
        try run(
            """
            INSERT INTO client_contact (user, public_key, list, version) VALUES (?, ?, ?, ?)
            ON CONFLICT (user) DO UPDATE SET list = excluded.list, version = excluded.version
            """,
            [user.text, Data(publicKey), Data(list.object.canonicalBytes()), list.version])
        let before = try known.map { known in
            try Self.stored { try DeviceList(JSONObject.parse(known.blob("list"))) }
        }
        try noteStruck(by: list, after: before)
        try run("DELETE FROM client_device WHERE user = ?", [user.text])
        for entry in list.devices {
            try run(
                """
                INSERT INTO client_device (user, device, signing_key, agreement_key, models, kem)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    user.text, entry.device.text, Data(entry.signingKey), Data(entry.agreementKey),
                    PhraseModelNumbers(entry.models).text, entry.kem,
                ])
            arrived.append(.device(user, entry.device))
        }
        try followList(of: user)
        arrived.append(.user(user))
        try followMoves(to: user)
    }

    // MARK: Looking up

    /// Asks the user's home node for keys, once.
    ///
    /// - Parameter refresh: there are sessions, and only the newest signed pre-keys are wanted. Asked once a day at most.
    func lookUp(_ user: UserID, refresh: Bool = false) throws {
        if let row = try row("SELECT refresh, asked FROM client_lookup WHERE user = ?", [user.text]) {
            // A question for more goes out beside the one for less.
            guard row["refresh"] as Bool else { return }
            guard try !refresh || exactAge() - (row["asked"] as Int64) >= Self.refreshPause else { return }
        }
        let lookup = UserLookup(
            userID: user, requestingNode: context.user.node, requester: context.party, at: now, isRefresh: refresh)
        let nonce = try nextCounter()
        let item = try enqueue(lookup.object, nonce: nonce)
        try run(
            "INSERT OR REPLACE INTO client_lookup (user, item, since, asked, refresh, queued) VALUES (?, ?, ?, ?, ?, ?)",
            [
                user.text, Data(item), now.milliseconds, try refresh ? exactAge() : age(), refresh,
                Data(Self.id(of: item, nonce)),
            ])
    }

    /// A refresh stays noted for so long, answered or not, in milliseconds of age.
    static let refreshPause: Int64 = 86_400_000

    func take(_ result: UserLookupResult) throws {
        guard result.requester == context.party else {
            throw Rejected(.misdirected, "The answer to another device's lookup arrived here.")
        }
        guard !result.isRefresh else {
            try takeRefresh(result)
            return
        }
        try run("DELETE FROM client_lookup WHERE user = ? AND refresh = 0", [result.userID.text])
        guard let found = result.found else {
            try noteKeyless(result.userID)
            try failWaiting(
                for: .user(result.userID),
                ProtocolError(
                    .userNotFound, "There is no such user, or the user cannot be found.", hint: "Check the user id."))
            return
        }
        // An answer that cannot be used is an answer: what waits for it would else wait for ever.
        do {
            try inSavepoint {
                try self.introduce(result.userID, publicKey: found.publicKey, list: found.deviceList)
                try self.openSessions(with: found)
                try self.noteKeyless(result.userID)
                try self.offerReturned(result.userID)
            }
        } catch let rejected as Rejected {
            try failWaiting(for: result.userID, rejected)
        } catch let error as ProtocolError where !error.isOfStore {
            try failWaiting(for: result.userID, Rejected(error))
        } catch is CryptoError {
            try failWaiting(
                for: result.userID, Rejected(.malformed, "The keys that a lookup brought cannot be used."))
        }
    }

    private func failWaiting(for user: UserID, _ rejected: Rejected) throws {
        try failWaiting(
            for: .user(user), ProtocolError(.invalidCredentials, rejected.message, hint: rejected.hint))
        try warn(rejected, about: user.text)
    }
}
