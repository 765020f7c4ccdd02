import ArgumentParser
import GodwitClient
import GodwitProtocol

/// What a channel's node holds for its moderators.
extension ChannelCommand {
    struct Held: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "held",
            abstract: "Messages that came after their author was banned, and wait for a moderator.",
            discussion:
                "They were written before the ban took hold where the author was. For moderators and above, about authors "
                + "whose role was lower. What nobody decides about in time is refused.",
            subcommands: [List.self, Release.self, Discard.self])

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List what waits; contents stay sealed.",
                discussion:
                    "Of a channel of the home node it calls there, and needs the identity's passphrase to log in. Of "
                    + "another node's channel it queues the question; the answer stands in `godwit channel log` after a "
                    + "later sync.")

            @OptionGroup var place: ChannelPlace
            @Option(name: .customLong("passphrase-file"), help: "File with the passphrase.")
            var passphraseFile: String?

            func run() async throws {
                let files = ClientFiles(place.home)
                let identity = try files.identity()
                let text = place.name
                let id = try await files.withDevice { try await $0.channel(named: text) }
                guard id.node == identity.userID.node else {
                    return try await place.queue("list_held") { try await $0.askForHeldMessages(of: $1) }
                }
                let key = try IdentityBuilder.unlock(identity, passphrase: Passphrase.read(passphraseFile))
                let held = try await NodeCall.list(
                    "messages", by: "list_held",
                    ["channel": .string(id.name.text), "channel_node": .string(id.node.text)], files, identityKey: key)
                let entries = held.map { $0.omitting(["message"]) }
                if place.home.json { return Console.json(["messages": .array(entries.map { .object($0) })]) }
                Console.table(
                    ["message", "author", "written", "came", "bytes", "days left"],
                    entries.map { entry in
                        ["hash", "author", "timestamp", "received_at"].map { entry[$0]?.string ?? "" }
                            + [
                                String(entry["size"]?.integer ?? 0),
                                String((entry["left"]?.integer ?? 0) / 86_400_000),
                            ]
                    })
            }
        }

        struct Release: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Let messages through to those members who could read them when they were written.",
                discussion: "Those of one device go in the order in which they were written: an earlier one has to be "
                    + "decided about first, or with it.")

            @OptionGroup var place: ChannelPlace
            @Argument(help: "Names of 1 to 64 messages, as `list` shows them.")
            var messages: [String]

            func run() async throws {
                let items = try Held.items(messages)
                try await place.queue("release_held") { try await $0.releaseHeld(items, in: $1) }
            }
        }

        struct Discard: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Refuse messages to their author, whose outbox then shows error 1002.")

            @OptionGroup var place: ChannelPlace
            @Argument(help: "Names of 1 to 64 messages, as `list` shows them.")
            var messages: [String]

            func run() async throws {
                let items = try Held.items(messages)
                try await place.queue("discard_held") { try await $0.discardHeld(items, in: $1) }
            }
        }

        private static func items(_ names: [String]) throws -> [MessageHash] {
            let items = try names.map { name in
                guard let hash = MessageHash(base64: name) else {
                    throw ProtocolError.malformed(
                        "This is no name of a held message: \(name.prefix(64))", member: "items",
                        hint: "`godwit channel held list` shows the names.")
                }
                return hash
            }
            guard Swift.Set(items).count == items.count, items.count <= HeldMessages.itemsMax else {
                throw ProtocolError.malformed("Name 1 to 64 messages, each once.", member: "items")
            }
            return items
        }

        /// What `godwit channel log` says of such an event.
        static func line(_ details: JSONObject) -> String {
            let names = (details["messages"]?.array ?? []).compactMap { entry in
                entry.object.map { "\($0["hash"]?.string ?? "") by \($0["author"]?.string ?? "")" }
            }
            let count = details["waiting"]?.integer ?? 0
            let head = "Messages of banned authors wait for a moderator: \(count)."
            return names.isEmpty ? head : head + " " + names.joined(separator: ", ") + "."
        }
    }
}
