import ArgumentParser
import GodwitClient
import GodwitProtocol

/// Vouches, blocks and names.
extension ContactCommand {
    struct Vouch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell others that you have verified a user's key.",
            discussion: "It goes as an end-to-end message. Those who have verified your key see that you vouch; it "
                + "verifies nothing by itself.")

        @OptionGroup var person: Person
        @Option(help: "To whom: user id or alias; may be given several times.")
        var to: [String]
        @Flag(help: "Take it back.")
        var withdraw = false
        @Flag(help: "Call the home node right after.")
        var sync = false

        func run() async throws {
            try await person.with { device, user in
                let book = try await device.addressBook()
                let readers = try to.map { text throws(ProtocolError) in try book.user(text) }
                guard !readers.isEmpty else { throw ProtocolError.malformed("Nobody is named to tell.", member: "to") }
                try await device.vouch(for: user, to: readers, withdrawing: withdraw)
                if sync { _ = try await device.sync(over: ClientFiles(person.home).carrier()) }
                person.say(
                    [
                        (withdraw ? "withdrawn" : "vouched"): .string(user.text),
                        "to": .array(readers.map { .string($0.text) }),
                    ], "Queued for \(readers.map(\.text).joined(separator: ", ")).")
            }
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show nothing of a user any more.",
            discussion: "Holds on this device at once, in channels too. The node keeps direct messages of the user "
                + "away once `godwit identity publish` was run. The user is told nothing of it.")

        @OptionGroup var person: Person

        func run() async throws {
            try await person.with { device, user in
                try await device.setBlocked(user, true)
                person.say(
                    ["blocked": .string(user.text)],
                    "\(user) is blocked on this device; `godwit identity publish` tells the node.")
            }
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a user again, and what came meanwhile.")

        @OptionGroup var person: Person

        func run() async throws {
            try await person.with { device, user in
                try await device.setBlocked(user, false)
                person.say(
                    ["unblocked": .string(user.text)],
                    "\(user) is not blocked any more; `godwit identity publish` tells the node.")
            }
        }
    }

    struct Alias: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user or channel a name of your own, list the names, or take one away.",
            discussion: "A name serves wherever a user or channel is given. Names of channels of other nodes stay on "
                + "this device; the others are in the identity file after `godwit identity publish`.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "The name; without one all are listed.")
        var name: String?
        @Argument(help: "@user-id, #channel or #channel:node.")
        var target: String?
        @Flag(help: "Take the name away.")
        var remove = false

        func validate() throws {
            guard name == nil ? !remove : (target == nil) == remove else {
                throw ValidationError("Give a name and what it is for, a name with --remove, or nothing.")
            }
        }

        func run() async throws {
            try await ClientFiles(home).withDevice { device in
                guard let name else { return list(try await device.addressBook()) }
                let bare = name.hasPrefix("@") || name.hasPrefix("#") ? String(name.dropFirst()) : name
                let named = target
                let whole = try await device.addressBook()
                let address = try named.map { text throws(ProtocolError) in try whole.target(text) }
                try await device.setAlias(bare, address)
                if home.json {
                    Console.json(["alias": .string(bare), "target": address.map { .string($0.description) } ?? .null])
                } else {
                    Console.out(address.map { "\(bare) is \($0)." } ?? "\(bare) is nobody's name any more.")
                }
            }
        }

        private func list(_ book: AddressBook) {
            let users = book.users.map { ($0.key, "@" + $0.value.text) }
            let channels = book.channels.map { ($0.key, $0.value.text) }
            let all = (users + channels).sorted { $0.0 < $1.0 }
            guard !home.json else {
                for (name, target) in all { Console.json(["alias": .string(name), "target": .string(target)]) }
                return
            }
            Console.table(["alias", "of"], all.map { [$0.0, $0.1] })
        }
    }
}
