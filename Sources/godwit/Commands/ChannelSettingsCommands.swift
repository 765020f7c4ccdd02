import ArgumentParser
import GodwitClient
import GodwitProtocol

/// What a channel is, and what happened in it.
extension ChannelCommand {
    struct Topic: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what a channel is about now.", discussion: "For admins and above. Nodes can read it.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "At most 256 characters; empty for none.")
        var text: String

        func run() async throws {
            let changes: JSONObject = ["topic": .string(text)]
            try await place.queue("set_channel") { try await $0.setChannel($1, changes) }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a channel's settings.", discussion: "For admins and above.")

        @OptionGroup var place: ChannelPlace
        @Option(help: "What it is for, at most 1,000 characters; empty for none. Nodes can read it.")
        var description: String?
        @Option(help: "public or private.")
        var visibility: String?
        @Option(
            name: .customLong("shares-history"),
            help: "yes or no: whether who joins gets what was written before, from its authors' devices.")
        var sharesHistory: String?

        func run() async throws {
            var changes: JSONObject = [:]
            if let description { changes["description"] = .string(description) }
            if let visibility { changes["visibility"] = .string(visibility) }
            if let sharesHistory {
                guard let value = ["yes": true, "no": false][sharesHistory] else {
                    throw ProtocolError.malformed("--shares-history is yes or no.", hint: "no is usual.")
                }
                changes["shares_history"] = .bool(value)
            }
            guard !changes.isEmpty else {
                throw ProtocolError.malformed(
                    "Nothing is to be changed.", hint: "Give --description, --visibility or --shares-history.")
            }
            let wanted = changes
            try await place.queue("set_channel") { try await $0.setChannel($1, wanted) }
        }
    }

    struct Move: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a channel to the home node, also when its node is dead; members follow.",
            discussion: "For the owner. What was written stays with the members' devices.")

        @OptionGroup var place: ChannelPlace

        func run() async throws {
            try await place.queue("moved") { try await $0.moveChannel($1) }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a channel and all channels inside it, for everybody.",
            discussion: "For the owner. What members have read stays with them.")

        @OptionGroup var place: ChannelPlace
        @Flag(help: "Needed, for it cannot be taken back.")
        var yes = false

        func run() async throws {
            guard yes else {
                throw ProtocolError.malformed(
                    "This ends the channel for everybody.", hint: "Say --yes if that is meant.")
            }
            try await place.queue("delete_channel") { try await $0.deleteChannel($1) }
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a channel's settings and members, as far as this device knows.")

        @OptionGroup var place: ChannelPlace

        func run() async throws {
            let text = place.name
            let details = try await ClientFiles(place.home).withDevice { device in
                try await device.channelDetails(device.channel(named: text))
            }
            guard !place.home.json else { return Console.json(Self.object(details)) }
            let settings = details.settings
            Console.out("\(details.id), \(settings.visibility.rawValue), \(details.state.rawValue)")
            if let inviter = details.inviter { Console.out("Invited by \(inviter)") }
            if !settings.topic.isEmpty { Console.out("Topic: \(settings.topic)") }
            if !settings.description.isEmpty { Console.out(settings.description) }
            if settings.sharesHistory { Console.out("Who joins gets what was written before.") }
            if details.waitsForEpoch {
                Console.out("Somebody has left. Texts wait on this device until the keys without that one have come.")
            }
            Console.table(
                ["user", "role", "devices"],
                details.members.map { member in
                    let until = member.until.map { " until \($0)" } ?? ""
                    return [member.user.text, member.role.rawValue + until, String(member.devices)]
                })
        }

        private static func object(_ details: ChannelDetails) -> JSONObject {
            var object = details.settings.object
            object["channel"] = .string(details.id.name.text)
            object["node"] = .string(details.id.node.text)
            object["state"] = .string(details.state.rawValue)
            object["visibility"] = .string(details.settings.visibility.rawValue)
            object["version"] = .integer(details.version)
            object["shares_history"] = .bool(details.settings.sharesHistory)
            object["waits_for_keys"] = .bool(details.waitsForEpoch)
            if let inviter = details.inviter { object["inviter"] = .string(inviter.text) }
            object["members"] = .array(
                details.members.map { member in
                    var entry: JSONObject = [
                        "user_id": .string(member.user.text), "role": .string(member.role.rawValue),
                        "devices": .integer(Int64(member.devices)),
                    ]
                    if let until = member.until { entry["until"] = .string(until.description) }
                    return .object(entry)
                })
            return object
        }
    }

    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what happened in channels: who came and went, roles, settings; oldest first.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Only this channel: name, or name:node.")
        var name: String?
        @Option(help: "At most so many, the newest.")
        var limit = 100

        func run() async throws {
            let (text, limit) = (name, limit)
            let events = try await ClientFiles(home).withDevice { device in
                let book = try await device.addressBook()
                let id = try text.map { text throws(ProtocolError) in try book.channel(text) }
                return try await device.channelEvents(of: id, limit: limit)
            }
            for event in events.reversed() {
                if home.json {
                    Console.json([
                        "channel": .string(event.channel.text), "at": .string(event.at.description),
                        "action": .string(event.action), "details": .object(event.details),
                    ])
                } else {
                    Console.out("\(event.at)  \(event.channel)  \(Self.line(event))")
                }
            }
        }

        private static func line(_ event: ChannelEvent) -> String {
            let user = event.details["user_id"]?.string ?? ""
            return switch event.action {
            case "created": "The channel was created."
            case "member_joined": "\(user) has joined."
            case "member_left": "\(user) has left."
            case "role_changed": "\(user) is \(event.details["role"]?.string ?? "") now."
            case "settings_changed": "The settings were changed."
            case "invited": "\(user) has invited you."
            case "left": "You are no member any more."
            case "deleted": "The channel was deleted."
            case "messages_held": Held.line(event.details)
            default: event.action
            }
        }
    }
}
