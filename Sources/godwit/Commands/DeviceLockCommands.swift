import ArgumentParser
import GodwitClient
import GodwitProtocol
import GodwitSpool

/// The device's store under a passphrase (G-11).
extension DeviceCommand {
    struct Lock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Encrypt this device's store under a passphrase.",
            discussion: """
                From then on every command asks for it: GODWIT_STORE_PASSPHRASE, the file that \
                GODWIT_STORE_PASSPHRASE_FILE names, the credential godwit-store of systemd, or the terminal. Nobody can \
                help who has forgotten it or lost client/store.key. The old files are overwritten and removed, but \
                flash disks, snapshots and backups may have kept them.
                """)

        @OptionGroup var home: HomeOptions

        func run() async throws {
            try ClientFiles(home).lockStore()
            if home.json { return Console.json(["locked": true]) }
            Console.out("The store is locked. Flash disks, snapshots and backups may have kept what was there before.")
        }
    }

    struct Unlock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take this device's store out from under its passphrase, for good.",
            discussion: "Whoever has the disk can read it afterwards.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            try ClientFiles(home).unlockStore()
            if home.json { return Console.json(["locked": false]) }
            Console.out("The store is not locked any more.")
        }
    }

    struct ChangePassphrase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "change-passphrase", abstract: "Put this device's store under another passphrase.",
            discussion: "Copies of client/store.key from before still open with the old one.")

        @OptionGroup var home: HomeOptions
        @Option(name: .customLong("new-passphrase-file"), help: "File with the new one.")
        var newPassphraseFile: String?

        func run() async throws {
            try ClientFiles(home).changeStorePassphrase { try Passphrase.readNew(newPassphraseFile) }
            if home.json { return Console.json(["changed": true]) }
            Console.out("The passphrase of the store was changed.")
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show whether this device's store is locked.", discussion: "Asks for no passphrase.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let files = ClientFiles(home)
            let user = try files.identity().userID
            let isLocked = try StoreForm.ofStore(in: files.devicePath) == .sealed
            if home.json { return Console.json(["user_id": .string(user.text), "locked": .bool(isLocked)]) }
            Console.out("\(user): the store is \(isLocked ? "locked" : "not locked").")
        }
    }
}
