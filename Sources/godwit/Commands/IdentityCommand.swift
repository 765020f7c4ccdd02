import ArgumentParser
import GodwitClient
import GodwitCrypto
import GodwitProtocol

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity", abstract: "Make, check, keep and publish identity files.",
        subcommands: [
            Create.self, Show.self, Verify.self, Export.self, Import.self, ChangePassphrase.self, Publish.self,
            Move.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an identity and a device for a home node.",
            discussion: "Works offline; `godwit register` makes it known to the node.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Username: 3 to 64 characters a-z, 0-9 and hyphen.")
        var username: String
        @Option(help: "File with the home node's descriptor (`godwit node descriptor`), or -.")
        var node: String
        @Option(help: "Base URL of the node, if other than in its descriptor.")
        var endpoint: String?
        @Option(name: .customLong("display-name"), help: "Name for people.")
        var displayName: String?
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?
        @Flag(help: "Protect the key with Argon2id instead of PBKDF2.")
        var argon2id = false
        @Flag(help: "Encrypt the device's store under a passphrase of its own, as `godwit device lock` does.")
        var lock = false

        func run() async throws {
            let descriptor = try NodeDescriptor(JSONObject.parse(Wiring.read(node)))
            let file = try await ClientFiles(home).create(
                username: Username(username), displayName: displayName, node: descriptor, endpoint: endpoint,
                passphrase: try Passphrase.read(passphraseFile), kdf: argon2id ? .highSecurity() : .standard(),
                isLocked: lock)
            if home.json {
                Console.json(["user_id": .string(file.userID.text), "file": .string(ClientFiles(home).identityPath)])
            } else {
                Console.out("Made \(file.userID) in \(ClientFiles(home).identityPath).")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the identity of this home.")

        @OptionGroup var home: HomeOptions

        func run() throws {
            let file = try ClientFiles(home).identity()
            if home.json { return Console.json(file.object) }
            Console.out("user: \(file.userID)")
            Console.out("name: \(file.displayName ?? "-")")
            Console.out("key:  \(PublicKeyText.text(ed25519: file.publicKey))")
            Console.out("node: \(file.endpoint)")
            Console.out("made: \(file.created)")
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check an identity file: every field, both signatures and, with --unlock, the passphrase.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "File to check; default: the one of this home.")
        var file: String?
        @Flag(help: "Also unlock it.")
        var unlock = false
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?

        func run() throws {
            let path = file ?? ClientFiles(home).identityPath
            let identity = try IdentityFile(parsing: Wiring.read(path))
            let checks = IdentityBuilder.verify(identity)
            guard checks.isValid else {
                throw ProtocolError(
                    .invalidCredentials, "A signature of the identity file does not verify.",
                    hint: "The file was altered after it was signed.",
                    details: [
                        "identity_signature": .bool(checks.identitySignature),
                        "file_signature": checks.fileSignature.map { .bool($0) } ?? .null,
                    ])
            }
            if unlock { _ = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile)) }
            if home.json {
                Console.json(["valid": true, "user_id": .string(identity.userID.text), "unlocked": .bool(unlock)])
            } else {
                Console.out("\(path) is valid: \(identity.userID).")
            }
        }
    }
}

struct RegisterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Register the identity of this home with its node and publish its keys.")

    @OptionGroup var home: HomeOptions
    @Option(help: "Invite, where the node asks for one.")
    var invite: String?
    @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
    var passphraseFile: String?

    func run() async throws {
        let files = ClientFiles(home)
        let identity = try files.identity()
        let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
        try await Registration.run(files, identityKey: key, invite: invite)
        if home.json {
            Console.json(["registered": .string(identity.userID.text)])
        } else {
            Console.out("Registered \(identity.userID).")
        }
    }
}
