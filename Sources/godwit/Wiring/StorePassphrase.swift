import FoundationEssentials
import GodwitProtocol
import Synchronization

/// Where the passphrase of a locked store comes from. No option: every command would need it, and a process list shows
/// options.
enum StorePassphrase {
    /// GODWIT_STORE_PASSPHRASE, else the file that GODWIT_STORE_PASSPHRASE_FILE names, else the credential
    /// `godwit-store` of systemd, else the terminal.
    /// - Throws: `ProtocolError` 1000 if there is none, 2000 for a file that cannot be read.
    static func read() throws -> String {
        if let text = try given() { return text }
        if let text = typed.withLock({ $0 }) { return text }
        guard Terminal.isThere, let text = Terminal.secret("Passphrase of the store:") else { throw missing }
        typed.withLock { $0 = text }
        return text
    }

    /// A command asks once, also if it opens the store again or another one of the same home.
    private static let typed = Mutex<String?>(nil)

    /// The same for a store that is to be locked; the terminal asks twice.
    static func readNew() throws -> String {
        if let text = try given() { return text }
        guard Terminal.isThere, let text = Terminal.secret("Passphrase for the store:"),
            Terminal.secret("The passphrase once more:") == text
        else { throw missing }
        return text
    }

    private static func given() throws -> String? {
        if let text = Passphrase.environment("GODWIT_STORE_PASSPHRASE") { return text }
        if let file = Passphrase.environment("GODWIT_STORE_PASSPHRASE_FILE") { return try Passphrase.read(file) }
        guard let directory = Passphrase.environment("CREDENTIALS_DIRECTORY") else { return nil }
        let file = directory + "/godwit-store"
        return Wiring.exists(file) ? try Passphrase.read(file) : nil
    }

    private static var missing: ProtocolError {
        ProtocolError(
            .invalidCredentials, "The device's store is locked, and its passphrase is missing or was mistyped.",
            hint: "Set GODWIT_STORE_PASSPHRASE or GODWIT_STORE_PASSPHRASE_FILE, or run this in a terminal.")
    }
}
