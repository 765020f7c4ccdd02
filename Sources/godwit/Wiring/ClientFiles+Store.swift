import FoundationEssentials
import GodwitClient
import GodwitProtocol
import GodwitSpool

/// The store of a device under a key (G-11): `store.key` is there as long as it is.
extension ClientFiles {
    var keyPath: String { directory + "/store.key" }

    /// Whether commands need the store's passphrase.
    var isLocked: Bool { Wiring.exists(keyPath) }

    /// The store's key, for which the passphrase is asked; nil for a plain store.
    /// - Throws: `ProtocolError` 1000 for a wrong passphrase or none, 2000 if the key's file is missing or no such file.
    func storeKey() throws -> StoreKey? {
        guard isLocked else {
            if try StoreForm.ofStore(in: devicePath) == .sealed { throw Self.keyIsMissing }
            return nil
        }
        return try StoreKeyRecord.open(Wiring.read(keyPath, max: 65_536), passphrase: StorePassphrase.read())
    }

    /// Makes the key of a store that is not there yet.
    func makeStoreKey() throws -> StoreKey { try makeStoreKey(under: StorePassphrase.readNew()) }

    /// The same for a store beside another one: where that is locked this one is, under the same passphrase.
    func makeStoreKey(as other: ClientFiles) throws -> StoreKey? {
        other.isLocked ? try makeStoreKey(under: StorePassphrase.read()) : nil
    }

    private func makeStoreKey(under passphrase: String) throws -> StoreKey {
        let (key, record) = try StoreKeyRecord.make(passphrase: passphrase)
        try DurableFile.write(record, to: keyPath)
        return key
    }

    /// Puts the store under a fresh key.
    /// - Throws: `ProtocolError` 2000 if it is under one; what `SQLiteSpool.rewrite` throws.
    func lockStore() throws {
        guard exists else { throw Self.missing }
        guard try StoreForm.ofStore(in: devicePath) == .plain else {
            throw ProtocolError(
                .invalidMessageFormat, "The store is locked already.",
                hint: "`godwit device change-passphrase` puts it under another passphrase.")
        }
        let (key, record) = try StoreKeyRecord.make(passphrase: StorePassphrase.readNew())
        try SQLiteSpool.rewrite(directory: devicePath, from: nil, to: key) {
            // A key without a sealed store is refused with a hint; a sealed store without its key would be lost.
            try DurableFile.write(record, to: keyPath)
        }
    }

    /// Takes the store out from under its key.
    /// - Throws: `ProtocolError` 2000 if it is under none, 1000 for a wrong passphrase.
    func unlockStore() throws {
        guard exists else { throw Self.missing }
        let isSealed = try StoreForm.ofStore(in: devicePath) == .sealed
        guard isSealed || isLocked else {
            throw ProtocolError(.invalidMessageFormat, "The store is not locked.", hint: "There is nothing to do.")
        }
        if isSealed { try SQLiteSpool.rewrite(directory: devicePath, from: storeKey(), to: nil) }
        try DurableFile.remove(keyPath)
    }

    /// Puts the store's key under another passphrase.
    /// - Throws: `ProtocolError` 2000 if the store is not locked, 1000 for a wrong passphrase.
    func changeStorePassphrase(to new: () throws -> String) throws {
        guard isLocked else {
            throw ProtocolError(
                .invalidMessageFormat, "The store is not locked.", hint: "`godwit device lock` locks it.")
        }
        let record = try Wiring.read(keyPath, max: 65_536)
        let changed = try StoreKeyRecord.rewrap(record, from: StorePassphrase.read(), to: new())
        try DurableFile.write(changed, to: keyPath)
    }

    private static var keyIsMissing: ProtocolError {
        ProtocolError(
            .invalidMessageFormat, "The device's store is locked, and store.key is missing.",
            hint: "Put back a copy of client/store.key; without it nothing opens the store.")
    }
}
