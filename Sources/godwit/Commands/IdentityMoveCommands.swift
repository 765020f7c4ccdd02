import ArgumentParser
import GodwitClient
import GodwitCrypto
import GodwitProtocol

/// An identity on another box, or at another node (CLIENT-01, gap G-34).
extension IdentityCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take an exported identity file: this home becomes a device of that user.",
            discussion: """
                The same as `godwit device add`. After the loss of a box this brings the account back: the file and its \
                passphrase are enough, at any time. The home node tells the new device of the user's channels, which it \
                enters; messages of before come from another device of the user, if there is one. Strike the lost box \
                with `godwit device remove` once `godwit channel list` shows the channels.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "File that `godwit identity export` wrote; - for standard input.")
        var file: String
        @Option(help: "File with the home node's descriptor.")
        var node: String
        @Option(help: "Base URL of the node, if other than in its descriptor.")
        var endpoint: String?
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?
        @Flag(help: "Ask another device for its 500 newest messages.")
        var history = false

        func run() async throws {
            let identity = try IdentityFile(parsing: Wiring.read(file))
            guard IdentityBuilder.verify(identity).isValid else {
                throw ProtocolError(
                    .invalidCredentials, "A signature of the identity file does not verify.",
                    hint: "The file was altered after it was signed; use another copy.")
            }
            let descriptor = try NodeDescriptor(JSONObject.parse(Wiring.read(node)))
            let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
            let files = ClientFiles(home)
            let device = try await files.addDevice(
                to: identity, key: key, node: descriptor, endpoint: endpoint, asksForHistory: history)
            let others = try await files.withDevice { try await $0.devices() }.devices.map(\.device)
                .filter { $0 != device }
            if home.json {
                return Console.json([
                    "user_id": .string(identity.userID.text), "device": .string(device.text),
                    "others": .array(others.map { .string($0.text) }),
                ])
            }
            Console.out("This home is device \(device) of \(identity.userID).")
            guard !others.isEmpty else { return }
            Console.out("Its other devices: \(others.map(\.text).joined(separator: ", ")).")
            Console.out(
                "Strike a lost one with `godwit device remove`, once `godwit channel list` shows your channels.")
        }
    }

    struct Move: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move this user to another home node.",
            discussion: """
                Registers the user there, with the same key under another id, and signs a record of it. The home node so \
                far gives that to whoever knows the user: who has the same key pinned follows by himself, with alias, \
                block and comparison. What is written to the old id is delivered for as long as that node says (90 days \
                unless set), and `godwit sync` fetches it. The old id stays in HOME/former/USER-ID, a home of its own. On \
                the user's other devices run the same command afterwards.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "File with the new home node's descriptor (`godwit node descriptor`), or -.")
        var node: String
        @Option(help: "Base URL of the new node, if other than in its descriptor.")
        var endpoint: String?
        @Option(help: "Username there; default: the one so far.")
        var username: String?
        @Option(help: "Invite, where the new node asks for one.")
        var invite: String?
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?
        @Flag(help: "Protect the key with Argon2id instead of PBKDF2.")
        var argon2id = false
        @Flag(help: "Write to all with whom you have talked, from the new id: where the old node is dead.")
        var announce = false

        func run() async throws {
            let files = ClientFiles(home)
            let identity = try files.identity()
            let descriptor = try NodeDescriptor(JSONObject.parse(Wiring.read(node)))
            let known = try await files.withDevice { try await $0.ownMove() }?.to
            let name =
                try username.map { text throws(ProtocolError) in try Username(text) }
                ?? (known?.node == descriptor.id ? known?.username : nil)
            let passphrase = try Passphrase.read(passphraseFile)
            let moving = UserMoving(
                home: MovingHome(home.home), files: files, identity: identity,
                key: try IdentityBuilder.unlock(identity, passphrase: passphrase), node: descriptor,
                user: UserID(node: descriptor.id, username: name ?? identity.userID.username))
            try moving.check()
            try await moving.prepare(
                passphrase: passphrase, kdf: argon2id ? .highSecurity() : .standard(), endpoint: endpoint,
                invite: invite)
            let channels = try await moving.finish(announces: announce)
            let told = await Self.tell(moving)
            say(moving, channels, told: told)
        }

        /// Both nodes are called at once; what does not arrive goes with the next `godwit sync`.
        private static func tell(_ moving: UserMoving) async -> Bool {
            do {
                let old = moving.home.former(moving.identity.userID)
                _ = try await old.withDevice { try await $0.sync(over: old.carrier()) }
                _ = try await moving.files.withDevice { try await $0.sync(over: moving.files.carrier()) }
                return true
            } catch {
                return false
            }
        }

        private func say(_ moving: UserMoving, _ channels: UserMoving.Channels, told: Bool) {
            let former = moving.home.former(moving.identity.userID).directory
            if home.json {
                return Console.json([
                    "user_id": .string(moving.user.text), "former": .string(moving.identity.userID.text),
                    "former_directory": .string(former), "told": .bool(told),
                    "channels": .array(channels.invited.map { .string($0.text) }),
                    "channels_to_ask": .array(channels.uninvited.map { .string($0.text) }),
                ])
            }
            Console.out("\(moving.identity.userID) has moved to \(moving.user). The old id stays in \(former).")
            if !told { Console.out("Not all nodes could be reached: run `godwit sync`.") }
            for channel in channels.invited { Console.out("\(channel): asks to join under the new id.") }
            for channel in channels.uninvited { Console.out("\(channel): ask a member for an invite.") }
        }
    }
}
