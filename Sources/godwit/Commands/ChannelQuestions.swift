import ArgumentParser
import GodwitClient
import GodwitProtocol

/// What only the home node knows.
extension ChannelCommand {
    struct Directory: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the public channels of the home node, and those that you are in.",
            discussion: "Calls the home node, and needs the identity's passphrase to log in.")

        @OptionGroup var home: HomeOptions
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?

        func run() async throws {
            let files = ClientFiles(home)
            let key = try IdentityBuilder.unlock(files.identity(), passphrase: Passphrase.read(passphraseFile))
            let channels = try await NodeCall.list("channels", by: "list_channels", [:], files, identityKey: key)
            if home.json { return Console.json(["channels": .array(channels.map { .object($0) })]) }
            Console.table(
                ["channel", "users", "role", "topic"],
                channels.map { channel in
                    let name = (channel["name"]?.string ?? "") + ":" + (channel["channel_node"]?.string ?? "")
                    return [
                        name, String(channel["member_count"]?.integer ?? 0), channel["role"]?.string ?? "",
                        channel["topic"]?.string ?? "",
                    ]
                })
        }
    }

    struct Bans: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List who is banned from a channel of the home node.",
            discussion: "For moderators and above. Calls the home node, and needs the identity's passphrase to log in.")

        @OptionGroup var place: ChannelPlace
        @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
        var passphraseFile: String?

        func run() async throws {
            let files = ClientFiles(place.home)
            let identity = try files.identity()
            let id = try ChannelID(place.name, defaultNode: identity.userID.node)
            let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
            let bans = try await NodeCall.list(
                "bans", by: "list_bans", ["channel": .string(id.name.text), "channel_node": .string(id.node.text)],
                files, identityKey: key)
            if place.home.json { return Console.json(["bans": .array(bans.map { .object($0) })]) }
            Console.table(
                ["user", "until", "by", "reason"],
                bans.map { ban in ["user_id", "until", "by", "reason"].map { ban[$0]?.string ?? "" } })
        }
    }
}
