import ArgumentParser
import GodwitClient
import GodwitProtocol

/// Who is in a channel, and as what.
extension ChannelCommand {
    struct Leave: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Leave a channel, with all devices.",
            discussion: "Its owner transfers it first. What was read stays on this device.")

        @OptionGroup var place: ChannelPlace

        func run() async throws { try await place.queue("leave_channel") { try await $0.leaveChannel($1) } }
    }

    struct Kick: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a user out of a channel.",
            discussion: "For moderators and above, towards lower roles. A public channel can be joined again: see ban.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String

        func run() async throws {
            let target = user
            try await place.queue("remove_member") { try await $0.removeMember($0.user(named: target), from: $1) }
        }
    }

    struct Ban: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a user out of a channel and keep the user out.",
            discussion: "For moderators and above, towards lower roles. It holds for the channels inside it too.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String
        @Option(name: .customLong("for"), help: "For how long, such as 2h or 7d; without it until it is lifted.")
        var time: String?
        @Option(help: "Why, for other moderators; at most 1,024 bytes. The channel's node can read it.")
        var reason: String?

        func run() async throws {
            let (target, why) = (user, reason)
            let lifetime = try time.map(ChannelPlace.milliseconds)
            try await place.queue("ban_user") {
                try await $0.ban($0.user(named: target), from: $1, lifetime: lifetime, reason: why)
            }
        }
    }

    struct Unban: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lift a ban.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String

        func run() async throws {
            let target = user
            try await place.queue("unban_user") { try await $0.unban($0.user(named: target), in: $1) }
        }
    }

    struct Role: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a member another role.",
            discussion: "The owner makes admins, admins make moderators; moderators restrict members and end that.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String
        @Argument(help: "admin, moderator, member or restricted.")
        var role: String

        func run() async throws {
            let (target, role) = (user, try GodwitProtocol.Role(text: role))
            try await place.queue("set_role") { try await $0.setRole(of: $0.user(named: target), in: $1, to: role) }
        }
    }

    struct Mute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a member only read for a time; the role before comes back by itself.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String
        @Option(name: .customLong("for"), help: "For how long, such as 10m or 1d, as long as the channel's node is up.")
        var time: String

        func run() async throws {
            let (target, lifetime) = (user, try ChannelPlace.milliseconds(time))
            try await place.queue("set_role") {
                try await $0.setRole(of: $0.user(named: target), in: $1, to: .restricted, lifetime: lifetime)
            }
        }
    }

    struct Transfer: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another member the channel's owner; you become an admin.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "User id or alias.")
        var user: String

        func run() async throws {
            let target = user
            try await place.queue("transfer_channel") { try await $0.transferChannel($1, to: $0.user(named: target)) }
        }
    }

    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a link with which others may join, without asking any node.",
            discussion:
                "Whoever has the link may use it: give it over a way that you trust. It serves as long as your own "
                + "role lets you invite.")

        @OptionGroup var place: ChannelPlace
        @Option(name: .customLong("for"), help: "How long it serves, at most 365d.")
        var time = "7d"
        @Option(help: "How many users may join with it; without it any number.")
        var uses: Int64?

        func run() async throws {
            let lifetime = try ChannelPlace.milliseconds(time)
            let (text, uses) = (place.name, uses)
            let invite = try await ClientFiles(place.home).withDevice { device in
                try await device.makeInvite(
                    to: device.channel(named: text), lifetime: lifetime, uses: uses)
            }
            guard place.home.json else { return Console.out(invite.link) }
            Console.json([
                "link": .string(invite.link), "id": .string(invite.id), "channel": .string(invite.channel.text),
                "expires": .string(invite.expires.description),
            ])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End an invite.", discussion: "Your own, or as a moderator anybody's.")

        @OptionGroup var place: ChannelPlace
        @Argument(help: "The link, or its id.")
        var invite: String

        func run() async throws {
            let id = invite.contains("#") ? try GodwitProtocol.Invite(link: invite).id : invite
            try await place.queue("revoke_invite") { try await $0.revokeInvite(id, of: $1) }
        }
    }
}
