import ArgumentParser
import GodwitClient
import GodwitLink
import GodwitProtocol

struct ChannelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel", abstract: "Channels.",
        discussion: "All of it works offline: commands go with the next `godwit sync`, and the channel's node decides. "
            + "What it refuses is among the warnings of a later sync.",
        subcommands: [
            Create.self, Group.self, Join.self, Leave.self, List.self, Info.self, Log.self, Topic.self, Set.self,
            Invite.self, Revoke.self, Kick.self, Ban.self, Unban.self, Role.self, Mute.self, Transfer.self, Move.self,
            Delete.self, Directory.self, Bans.self, Held.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a channel on the home node, or one inside another.",
            discussion: "Works offline: the command goes with the next `godwit sync`.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Name, such as #general, or name:node for one inside a channel of another node; quote it.")
        var name: String
        @Flag(name: .customLong("private"), help: "Only who is invited may join; it is in no directory.")
        var isPrivate = false
        @Option(help: "What it is about now, at most 256 characters. Nodes can read it.")
        var topic = ""
        @Option(help: "What it is for, at most 1,000 characters. Nodes can read it.")
        var description = ""

        func run() async throws {
            var settings = ChannelSettings()
            try settings.apply(["topic": .string(topic), "description": .string(description)])
            settings.visibility = isPrivate ? .private : .public
            let (wanted, text) = (settings, name)
            try await ClientFiles(home).withDevice { device in
                try await device.createChannel(
                    ChannelID(text, defaultNode: device.userID.node), settings: wanted)
            }
            if home.json { return Console.json(["queued": "create_channel", "channel": .string(name)]) }
            Console.out("Queued. It is made at the next `godwit sync`.")
        }
    }

    struct Group: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a private channel with some users; its name is drawn at random.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "User ids or aliases, 1 to 64; they are told, and may join.")
        var users: [String]
        @Option(help: "What it is about, at most 256 characters. Nodes can read it.")
        var topic = ""

        func run() async throws {
            let (texts, about) = (users, topic)
            let id = try await ClientFiles(home).withDevice { device in
                let book = try await device.addressBook()
                let named = try texts.map { text throws(ProtocolError) in try book.user(text) }
                return try await device.createGroup(with: named, topic: about)
            }
            if home.json { return Console.json(["queued": "create_channel", "channel": .string(id.text)]) }
            Console.out("\(id.name): queued. It is made at the next `godwit sync`; you can write to it already.")
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Join a channel.", discussion: "Works offline: the command goes with the next `godwit sync`.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Name, or name:node for a channel of another node; none with --invite.")
        var name: String?
        @Option(help: "The link of an invite, which says which channel.")
        var invite: String?

        func run() async throws {
            let link = try invite.map { text throws(ProtocolError) in try GodwitProtocol.Invite(link: text) }
            guard (name == nil) != (link == nil) else {
                throw ProtocolError.malformed("Give a channel's name, or --invite.", hint: "Not both.")
            }
            let text = name
            let id = try await ClientFiles(home).withDevice { device in
                guard let link else {
                    let id = try await device.channel(named: text ?? "")
                    try await device.joinChannel(id)
                    return id
                }
                try await device.joinChannel(with: link)
                return link.channel
            }
            if home.json { return Console.json(["queued": "join_channel", "channel": .string(id.text)]) }
            Console.out("Queued. You are a member once a sync has brought the channel's epoch.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List channels that this device knows.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let channels = try await ClientFiles(home).withDevice { try await $0.channels() }
            if home.json {
                return Console.value(
                    .array(
                        channels.map { channel in
                            [
                                "channel": .string(channel.id.name.text), "node": .string(channel.id.node.text),
                                "state": .string("\(channel.state)"), "members": .integer(Int64(channel.members)),
                            ]
                        }))
            }
            Console.table(
                ["channel", "state", "members"],
                channels.map { [$0.id.text, "\($0.state)", String($0.members)] })
        }
    }
}

/// The channel that a command is about.
struct ChannelPlace: ParsableArguments {
    @OptionGroup var home: HomeOptions
    @Argument(help: "Name, name:node for a channel of another node, or an alias; quote it for the shell.")
    var name: String

    /// Queues a command and says so.
    func queue(
        _ command: String, _ body: @escaping (Device, ChannelID) async throws -> Void
    ) async throws {
        let text = name
        let id = try await ClientFiles(home).withDevice { device in
            let id = try await device.channel(named: text)
            try await body(device, id)
            return id
        }
        if home.json { return Console.json(["queued": .string(command), "channel": .string(id.text)]) }
        Console.out("Queued. It is done when the channel's node has it; a later `godwit sync` tells if it was refused.")
    }

    /// Milliseconds of a time as people write it.
    static func milliseconds(_ text: String) throws -> Int64 {
        guard let time = TimeSpan.read(text), time > .zero else {
            throw ProtocolError.malformed("This is no length of time.", hint: "Write it as 90s, 15m, 2h or 7d.")
        }
        return time.components.seconds * 1_000
    }
}
