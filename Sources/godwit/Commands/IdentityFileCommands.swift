import ArgumentParser
import GodwitClient
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What becomes of an identity file after it was made (ID-25, CLIENT-01).
extension IdentityCommand {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the identity file to another file, to keep or to take along.",
            discussion: "Its secrets are under the passphrase; names, preferences and blocks are readable in it. It "
                + "does not hold messages or the keys of devices.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "File to write, which must not exist; - for standard output.")
        var file: String

        func run() async throws {
            let files = ClientFiles(home)
            let identity = try files.identity()
            guard IdentityBuilder.verify(identity).isValid else {
                throw ProtocolError(
                    .invalidCredentials, "A signature of the identity file does not verify.",
                    hint: "The file was altered after it was signed; use a backup.")
            }
            let isPublished = try await files.withDevice { device in
                try await device.preferences() == identity.object["preferences"]?.object ?? [:]
            }
            if file == "-" { return Console.json(identity.object) }
            guard !Wiring.exists(file) else {
                throw ProtocolError.malformed("The file is there already.", hint: "Choose another name.")
            }
            try DurableFile.write(identity.object.canonicalBytes(), to: file)
            if home.json {
                return Console.json([
                    "user_id": .string(identity.userID.text), "file": .string(file), "published": .bool(isPublished),
                ])
            }
            Console.out("Wrote \(identity.userID) to \(file).")
            if !isPublished {
                Console.out("Newer names and blocks are not in it: run `godwit identity publish` first.")
            }
        }
    }

    struct ChangePassphrase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "change-passphrase", abstract: "Put the identity's secrets under another passphrase.",
            discussion: "Files that were exported before, and the node's copy until `godwit identity publish`, still "
                + "open with the old one.")

        @OptionGroup var home: HomeOptions
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase so far.")
        var passphraseFile: String?
        @Option(name: .customLong("new-passphrase-file"), help: "File with the new one.")
        var newPassphraseFile: String?
        @Flag(help: "Protect the key with Argon2id instead of PBKDF2.")
        var argon2id = false

        func run() async throws {
            let files = ClientFiles(home)
            let identity = try files.identity()
            let old = try Passphrase.read(passphraseFile)
            let new = try Passphrase.readNew(newPassphraseFile)
            let changed = try IdentityBuilder.changingPassphrase(
                of: identity, from: old, to: new, kdf: argon2id ? .highSecurity() : .standard())
            try await files.replaceIdentity(changed)
            if home.json { return Console.json(["changed": .string(identity.userID.text)]) }
            Console.out("The passphrase of \(identity.userID) was changed. `godwit identity publish` tells the node.")
        }
    }

    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put names and blocks of this device into the identity file, and give it to the home node.",
            discussion: "Calls the node. Where it cannot be reached nothing is changed.")

        @OptionGroup var home: HomeOptions
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?

        func run() async throws {
            let files = ClientFiles(home)
            let identity = try files.identity()
            let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
            let (preferences, device) = try await files.withDevice { (try await $0.preferences(), $0.deviceID) }
            let changed = try IdentityBuilder.setting(preferences: preferences, of: identity, key: key)
            try await NodeCall.ask(
                "update_identity", ["identity_file": .object(changed.object)], files, device: device, identityKey: key)
            try await files.replaceIdentity(changed)
            if home.json { return Console.json(["published": .string(identity.userID.text)]) }
            Console.out("\(identity.userID) is published.")
        }
    }
}

extension ClientFiles {
    /// Puts another version of the identity file in the place of the one before, in the home and in the device.
    func replaceIdentity(_ file: IdentityFile) async throws {
        try await withDevice { try await $0.replaceIdentity(file) }
        try DurableFile.write(file.object.canonicalBytes(), to: identityPath)
    }
}

extension Passphrase {
    /// `--new-passphrase-file`, else GODWIT_NEW_PASSPHRASE, else the terminal, twice.
    static func readNew(_ file: String?) throws -> String {
        if let file { return try read(file) }
        if let text = environment("GODWIT_NEW_PASSPHRASE") { return text }
        guard Terminal.isThere, let text = Terminal.secret("New passphrase:"),
            Terminal.secret("The new passphrase once more:") == text
        else {
            throw ProtocolError(
                .invalidCredentials, "The new passphrase is missing, or was not typed twice in the same way.",
                hint: "Use --new-passphrase-file or the environment variable GODWIT_NEW_PASSPHRASE.")
        }
        return text
    }
}
