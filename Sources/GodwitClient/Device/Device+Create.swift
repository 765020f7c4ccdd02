import FoundationEssentials
import GRDB
public import GodwitCompression
public import GodwitContact
public import GodwitCrypto
public import GodwitLink
public import GodwitProtocol
public import GodwitSpool

extension Device {
    /// Enrols a new device of a user: makes its keys, its signed entry, a device list of version 1 and its pre-keys.
    /// The identity key signs them and is not stored.
    ///
    /// - Parameters:
    ///   - key: what the store is to be sealed under; nil: it is to be plain.
    ///   - node: descriptor of the home node, got over a way that the user trusts.
    ///   - link: the link to the home node, whose tier says how contents are padded (D-9).
    ///   - models: the phrase models at hand; the device's entry names them.
    /// - Throws: `ProtocolError` 1000 when identity, key and node do not belong together or a signature does not verify,
    ///   1002 if there is a device in the directory already; what `SQLiteSpool` throws.
    public static func create(
        directory: String, key: StoreKey? = nil, identity: IdentityFile, identityKey: SigningKey, node: NodeDescriptor,
        time: any TimeSource, link: Profile = .preset(.satellite), models: PhraseModelLibrary = .shared
    ) async throws -> Device {
        try check(identity, identityKey, node)
        let signing = try SigningKey.generate()
        let context = DeviceContext(
            identityFile: identity, device: DeviceEntry.id(of: signing.publicKey.bytes), signing: signing,
            agreement: try .generate(), noise: try .generate(), home: node, salt: try .draw(),
            padding: Padding(over: link), tier: Tier(over: link), models: models)
        let list = try makeList(of: context, signedBy: identityKey, at: time.now())
        return try await opening(directory, key) { spool in
            let store = DeviceStore(spool: spool, context: context, time: time)
            try await store.write { transaction in
                try transaction.storeIdentity()
                try transaction.takePreferences()
                try transaction.introduce(identity.userID, publicKey: identity.publicKey, list: list)
                try transaction.makePreKeys(oneTime: oneTimePreKeyCount)
            }
            return Device(store)
        }
    }

    private static func check(_ identity: IdentityFile, _ key: SigningKey, _ node: NodeDescriptor) throws {
        guard key.publicKey.bytes == identity.publicKey, identity.userID.node == node.id else {
            throw ProtocolError(
                .invalidCredentials, "Identity, key and home node do not belong together.",
                hint: "Check which identity file and which node descriptor were given.")
        }
        try KeyChecks.verify(identity)
        try KeyChecks.verify(node.object, signedBy: node.publicKey, purpose: .descriptor)
        guard try NodeIDDerivation.derive(from: VerifyingKey(node.publicKey)) == node.id else {
            throw ProtocolError(
                .invalidCredentials, "The node's id does not follow from its key.", hint: "Get the descriptor again.")
        }
    }

    private static func makeList(
        of context: DeviceContext, signedBy key: SigningKey, at now: Timestamp
    ) throws -> DeviceList {
        var entry: JSONObject = [
            "user_id": .string(context.user.text), "device": .string(context.device.text),
            "signing_key": .string(context.signing.publicKey.text),
            "agreement_key": .string(context.agreement.publicKey.text),
            "noise_key": .string(context.noise.publicKey.text), "created": .string(now.description),
            "kem": .string(KEMPreKey.kind),
        ]
        let models = context.models.announced
        if !models.isEmpty { entry["models"] = .array(models.map { .integer(Int64($0)) }) }
        return try DeviceList(
            key.signed(
                [
                    "user_id": .string(context.user.text), "version": 1, "issued": .string(now.description),
                    "devices": .array([.object(key.signed(entry, purpose: .device))]),
                ], purpose: .deviceList))
    }
}

extension ClientTransaction {
    /// - Throws: `ProtocolError` 1002 if there is an identity.
    func storeIdentity() throws {
        guard try row("SELECT 1 FROM client_identity") == nil else {
            throw ProtocolError(
                .insufficientPermissions, "There is a device in this directory already.",
                hint: "Choose another directory, or go on with the device that is there.")
        }
        try run(
            """
            INSERT INTO client_identity
              (only, user, identity_file, device, signing_seed, agreement_secret, noise_secret, home, uptime)
            VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                context.user.text, Data(context.identityFile.object.canonicalBytes()), context.device.text,
                Data(context.signing.seed.copyBytes()), Data(context.agreement.secret.copyBytes()),
                Data(context.noise.secret.copyBytes()), Data(context.home.object.canonicalBytes()), uptime,
            ])
    }

    func ownDeviceList() throws -> DeviceList {
        guard let row = try row("SELECT list FROM client_contact WHERE user = ?", [context.user.text]) else {
            throw ProtocolError(.internalError, "The device's store has no device list.")
        }
        return try DeviceList(JSONObject.parse(row.blob("list")))
    }
}

extension DeviceContext {
    /// Nil if the store has no device. Draws a salt.
    static func load(from spool: SQLiteSpool) async throws -> DeviceContext? {
        try await spool.read { transaction in
            guard let row = try Row.fetchOne(transaction.database, sql: "SELECT * FROM client_identity") else {
                return nil
            }
            return DeviceContext(
                identityFile: try IdentityFile(parsing: row.blob("identity_file")),
                device: try DeviceID(row["device"] as String),
                signing: try SigningKey(seed: Secret(row.blob("signing_seed"))),
                agreement: try AgreementKey(Secret(row.blob("agreement_secret"))),
                noise: try AgreementKey(Secret(row.blob("noise_secret"))),
                home: try NodeDescriptor(JSONObject.parse(row.blob("home"))), salt: try .draw())
        }
    }
}
