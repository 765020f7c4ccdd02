import ArgumentParser
import GodwitClient
import GodwitCrypto
import GodwitProtocol

struct DeviceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device",
        abstract: "The devices of this user: show, add, remove, share conversations, and lock the store.",
        subcommands: [
            List.self, Add.self, Remove.self, Sync.self, Lock.self, Unlock.self, ChangePassphrase.self, Status.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the user's devices, as far as this one knows.", discussion: "Does not call the node.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            try await ClientFiles(home).withDevice { device in
                let list = try await device.devices()
                for entry in list.devices {
                    let isThis = entry.device == device.deviceID
                    if home.json {
                        Console.json([
                            "device": .string(entry.device.text), "this": .bool(isThis),
                            "created": .string(entry.created.description), "version": .integer(list.version),
                        ])
                    } else {
                        Console.out("\(entry.device)  since \(entry.created)\(isThis ? "  this device" : "")")
                    }
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make this home a further device of a user.",
            discussion: """
                Takes the user's identity file and the node's descriptor, as they stand in the home of a device that is \
                there already (client/identity.json, client/node.json). The new device enters the channels of the \
                others. What was written before it reads only where another device tells of it: --history, or \
                `godwit device sync` later.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "The user's identity file, or -.")
        var identity: String
        @Option(help: "File with the home node's descriptor.")
        var node: String
        @Option(help: "Base URL of the node, if other than in its descriptor.")
        var endpoint: String?
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?
        @Flag(help: "Ask another device for its 500 newest messages.")
        var history = false
        @Flag(help: "Encrypt the store under a passphrase of its own, as `godwit device lock` does.")
        var lock = false

        func run() async throws {
            let files = ClientFiles(home)
            let file = try IdentityFile(parsing: Wiring.read(identity))
            let descriptor = try NodeDescriptor(JSONObject.parse(Wiring.read(node)))
            let key = try IdentityBuilder.unlock(file, passphrase: Passphrase.read(passphraseFile))
            let device = try await files.addDevice(
                to: file, key: key, node: descriptor, endpoint: endpoint, asksForHistory: history,
                makeKey: { lock ? try files.makeStoreKey() : nil })
            if home.json {
                Console.json(["user_id": .string(file.userID.text), "device": .string(device.text)])
            } else {
                Console.out("Added device \(device) to \(file.userID).")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a device of this user, for example one that was lost.",
            discussion: """
                The home node ends its sessions at once and gives it nothing more; whoever writes to the user learns \
                that it is gone, and channels get new keys. What it has read it keeps.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "Id of the device: `godwit device list` shows it.")
        var device: String
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?

        func run() async throws {
            let files = ClientFiles(home)
            let removed = try DeviceID(device)
            let identity = try files.identity()
            let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
            try await files.withDevice { own in
                try await Registration.publishList(files, identity: identity, device: own.deviceID, key: key) {
                    try await own.remove(removed, from: $0, signedBy: key)
                }
            }
            if home.json {
                Console.json(["removed": .string(removed.text)])
            } else {
                Console.out("Removed device \(removed) of \(identity.userID).")
            }
        }
    }

    struct Sync: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sync", abstract: "Ask another device of this user for its conversations.",
            discussion: """
                The other device answers when both have called the node. Its answer is encrypted like every message, \
                goes when nothing more urgent waits, and is marked as synced.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "Id of the device to ask; default: the first other one.")
        var from: String?
        @Option(help: "Only messages since this time, as in 2026-11-21T10:30:00Z.")
        var since: String?
        @Option(help: "The newest so many, at most 5000.")
        var limit = 500
        @Flag(help: "Call the home node right after.")
        var sync = false

        func run() async throws {
            let files = ClientFiles(home)
            let time = try since.map { text throws(ProtocolError) in
                guard let time = Timestamp(iso8601: text) else {
                    throw .malformed(
                        "The time is no ISO 8601 time in UTC.", member: "since",
                        hint: "Write it as 2026-11-21T10:30:00Z.")
                }
                return time
            }
            let asked = try await files.withDevice { device in
                let asked = try await device.requestHistory(
                    from: from.map { text throws(ProtocolError) in try DeviceID(text) }, since: time, limit: limit)
                if sync { _ = try await device.sync(over: files.carrier()) }
                return asked
            }
            if home.json {
                Console.json(["asked": .string(asked.text), "limit": .integer(Int64(limit))])
            } else {
                Console.out("Device \(asked) is asked for its \(limit) newest messages.")
            }
        }
    }
}
