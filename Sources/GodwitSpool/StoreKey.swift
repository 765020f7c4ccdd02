import CVault
import Synchronization

/// The key of a sealed store: 32 bytes that follow from nothing, in memory that is locked and wiped afterwards.
///
/// Immutable after it was made.
public final class StoreKey: Sendable {
    /// Bytes of a key.
    public static let count = Int(GODWIT_VAULT_KEY)
    /// Bytes that a seal adds.
    static let extra = Int(GODWIT_VAULT_EXTRA)

    // Read by everybody, and freed in `deinit`, when nobody else holds a reference.
    private nonisolated(unsafe) let key: OpaquePointer

    /// Copies the bytes. The caller's are the caller's to wipe.
    /// - Throws: `SpoolError` `.unusable` for another length, or if memory cannot be had.
    public init(_ bytes: UnsafeRawBufferPointer) throws {
        let made = bytes.count == Self.count ? bytes.baseAddress.flatMap { godwit_vault_key_make($0) } : nil
        guard let made else {
            throw SpoolError(.unusable, "The store's key cannot be used.", hint: "Check how much memory may be locked.")
        }
        key = made
    }

    deinit { godwit_vault_key_free(key) }

    /// Seals a body that is kept in a file of its own.
    func seal(_ body: [UInt8]) -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: body.count + Self.extra)
        godwit_vault_seal(key, UInt8(GODWIT_VAULT_BODY), 0, body, body.count, &sealed)
        return sealed
    }

    /// Nil if it is not what was sealed.
    func open(_ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.extra else { return nil }
        var body = [UInt8](repeating: 0, count: sealed.count - Self.extra)
        let status = godwit_vault_open(key, UInt8(GODWIT_VAULT_BODY), 0, sealed, body.count, &body)
        return status == 0 ? body : nil
    }

    /// A name for what has this digest of 32 bytes. Who has no key cannot tell what it names.
    func name(of digest: [UInt8]) -> [UInt8] {
        var name = [UInt8](repeating: 0, count: 32)
        godwit_vault_name(key, digest, &name)
        return name
    }

    /// Whether the first page of a sealed database opens.
    func opens(_ page: [UInt8]) -> Bool {
        guard page.count == Int(GODWIT_VAULT_PAGE) else { return false }
        return godwit_vault_fits_key(key, page) != 0
    }

    fileprivate func add(_ path: String, isNew: Bool) -> Int32 { godwit_vault_add(path, key, isNew ? 1 : 0) }
}

/// A database's path that is under a key until it is released, or this object goes.
final class SealedPath: Sendable {
    private let path: String
    private let isHeld = Mutex(true)

    /// - Parameter isNew: whether the database is being made, and is thrown away where that fails.
    /// - Throws: `SpoolError` `.locked` if this process has it under a key already; `.unusable`.
    init(_ path: String, key: StoreKey, isNew: Bool = false) throws {
        switch key.add(path, isNew: isNew) {
        case 0: self.path = path
        case 5: throw SpoolError(.locked, "This process holds the spool already.", hint: "Close it first.")
        case let code:
            throw SpoolError(
                .unusable, "The store cannot be put under its key (SQLite result \(code)).",
                hint: "Check memory, and the rights on the spool's directory.")
        }
    }

    deinit { release() }

    /// Lets others put the path under a key before this object goes. Connections should be closed by then.
    func release() {
        let held = isHeld.withLock { held in
            defer { held = false }
            return held
        }
        // Once only: by now the path may be another's.
        if held { godwit_vault_drop(path) }
    }
}
