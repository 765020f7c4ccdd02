import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// This device's own pre-keys.
extension ClientTransaction {
    func signedPreKey(_ id: UInt32) throws -> AgreementKey? {
        try row("SELECT secret FROM client_signed_pre_key WHERE id = ?", [Int64(id)])
            .map { row in try Self.stored { try AgreementKey(Secret(row.blob("secret"))) } }
    }

    /// All that are kept, the newest first.
    func signedPreKeys() throws -> [AgreementKey] {
        try rows("SELECT secret FROM client_signed_pre_key ORDER BY id DESC").map { row in
            try Self.stored { try AgreementKey(Secret(row.blob("secret"))) }
        }
    }

    /// The newest signed pre-key, as it is published.
    func currentPreKey() throws -> SignedPreKey {
        guard let row = try row("SELECT object FROM client_signed_pre_key ORDER BY id DESC LIMIT 1") else {
            throw ProtocolError(
                .internalError, "The device's store has no pre-key.",
                hint: "The store is damaged; enrol as a new device.")
        }
        return try Self.stored { try SignedPreKey(JSONObject.parse(row.blob("object"))) }
    }

    func kemKey(_ id: UInt32) throws -> KEMKey {
        guard let row = try row("SELECT seed FROM client_kem_pre_key WHERE id = ?", [Int64(id)]) else {
            throw Rejected(.unreadable, "A first message uses a KEM pre-key that this device does not have.")
        }
        return try Self.stored { try KEMKey(Secret(row.blob("seed"))) }
    }

    /// The newest KEM pre-key, as it is published; nil if the device has none.
    func currentKEMPreKey() throws -> KEMPreKey? {
        try row("SELECT object FROM client_kem_pre_key ORDER BY id DESC LIMIT 1")
            .map { row in try Self.stored { try KEMPreKey(JSONObject.parse(row.blob("object"))) } }
    }

    /// Makes a signed pre-key, a KEM pre-key where the device's entry names the KEM, and one-time pre-keys.
    func makePreKeys(oneTime count: Int) throws {
        let key = try AgreementKey.generate()
        try make(
            "INSERT INTO client_signed_pre_key (secret, object, made) VALUES (?, ?, ?)",
            into: "client_signed_pre_key", secret: key.secret, key.publicKey.text)
        if try device(context.user, context.device)?.kem == KEMPreKey.kind {
            let kem = try KEMKey.generate()
            try make(
                "INSERT INTO client_kem_pre_key (seed, object, made) VALUES (?, ?, ?)", into: "client_kem_pre_key",
                secret: kem.seed, kem.publicKey.text)
        }
        _ = try makeOneTimePreKeys(count)
    }

    /// The key's number is known only once it stands in the table, and stands in what is signed.
    private func make(_ insertion: String, into table: String, secret: Secret, _ text: String) throws {
        try run(insertion, [Data(secret.copyBytes()), Data(), try exactAge()])
        let id = database.lastInsertedRowID
        let unsigned: JSONObject = [
            "user_id": .string(context.user.text), "device": .string(context.device.text), "id": .integer(id),
            "key": .string(text), "created": .string(now.description),
        ]
        let object = context.signing.signed(unsigned, purpose: .preKey)
        try run("UPDATE \(table) SET object = ? WHERE id = ?", [Data(object.canonicalBytes()), id])
    }

    func makeOneTimePreKeys(_ count: Int) throws -> [OneTimePreKey] {
        try (0..<count).map { _ in
            let key = try AgreementKey.generate()
            try run("INSERT INTO client_one_time_key (secret) VALUES (?)", [Data(key.secret.copyBytes())])
            return OneTimePreKey(id: UInt32(database.lastInsertedRowID), key: key.publicKey.bytes)
        }
    }

    func oneTimePreKeys() throws -> [OneTimePreKey] {
        try rows("SELECT id, secret FROM client_one_time_key ORDER BY id").map { row in
            let key = try AgreementKey(Secret(row.blob("secret")))
            return OneTimePreKey(id: UInt32(row["id"] as Int64), key: key.publicKey.bytes)
        }
    }
}
