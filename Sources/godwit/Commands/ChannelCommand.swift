import ArgumentParser
import GodwitClient
import GodwitProtocol

struct ChannelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel", abstract: "Channels.", subcommands: [Create.self, Join.self, List.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a public channel on the home node.",
            discussion: "Works offline: the command goes with the next `godwit sync`.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Name, such as #general; quote it for the shell.")
        var name: String

        func run() async throws {
            let channel = try ChannelName(name)
            try await ClientFiles(home).withDevice { try await $0.createChannel(channel) }
            if home.json { return Console.json(["queued": "create_channel", "channel": .string(name)]) }
            Console.out("Queued. It is made at the next `godwit sync`.")
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Join a channel.", discussion: "Works offline: the command goes with the next `godwit sync`.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Name, or name:node for a channel of another node.")
        var name: String

        func run() async throws {
            let id = try await ClientFiles(home).withDevice { device in
                let id = try ChannelID(name, defaultNode: device.userID.node)
                try await device.joinChannel(id)
                return id
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
