import ArgumentParser
import GodwitProtocol

extension NodeCommand {
    struct ExportUser: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export-user", abstract: "Write all that the node has of a user, one JSON object a line.",
            discussion: """
                The account with its identity file, devices, sessions, channels and contacts, then the messages that the \
                user has written and the direct ones that the user got, sealed as they are: the node cannot read them.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "User id.")
        var user: String

        func run() async throws {
            var cursor = JSONValue.null
            repeat {
                let page = try await NodeControl.ask(
                    ["request": "export_user", "user_id": .string(user), "cursor": cursor], home
                ).object
                for line in page?["lines"]?.array ?? [] { Console.value(line) }
                cursor = page?["next_cursor"] ?? .null
            } while !cursor.isNull
        }
    }

    struct EraseUser: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase-user", abstract: "Erase an account and all that the node has of it.",
            discussion: """
                There is no way back. The user's messages become holes, peers that may have some are told to erase them, \
                and nobody can take the name again. Devices keep what they have.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "User id.")
        var user: String
        @Flag(help: "Do it; without this only the question is asked.")
        var yes = false

        func run() async throws {
            guard yes else {
                throw ProtocolError(
                    .insufficientPermissions, "An account that is erased cannot be brought back.",
                    hint: "Export it first if it may be wanted, then say --yes.")
            }
            let result = try await NodeControl.ask(["request": "erase_user", "user_id": .string(user)], home)
            home.json ? Console.value(result) : Console.out("Erased \(user).")
        }
    }
}
