import ArgumentParser
import GodwitProtocol

/// Who comes in: `godwit node invite|maintenance|audit|reset-factor`.
extension NodeCommand {
    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an invite to register at this node.",
            discussion: "It is shown once. Nodes whose `registration` is `invite` ask for one.")

        @OptionGroup var home: HomeOptions
        @Option(help: "How many may register with it.")
        var uses = 1
        @Option(help: "Hours until it expires.")
        var hours = 168
        @Flag(help: "List the invites that are open instead.")
        var list = false
        @Option(help: "Withdraw the invite of this name instead.")
        var withdraw: String?

        func run() async throws {
            if let withdraw {
                let answer = try await NodeControl.ask(
                    ["request": "withdraw_invite", "name": .string(withdraw)], home)
                guard answer.bool == true else {
                    throw ProtocolError.malformed(
                        "There is no open invite of that name.", hint: "`godwit node invite --list` shows them.")
                }
                return home.json ? Console.value(["withdrawn": .string(withdraw)]) : Console.out("Withdrawn.")
            }
            if list {
                let invites = try await NodeControl.ask(["request": "invites"], home)
                if home.json { return Console.value(invites) }
                let rows = (invites.array ?? []).compactMap(\.object)
                return Console.table(
                    ["name", "uses", "expires"],
                    rows.map {
                        [$0["name"]?.string ?? "", String($0["uses"]?.integer ?? 0), $0["expires"]?.string ?? ""]
                    })
            }
            let made = try await NodeControl.ask(
                ["request": "invite", "uses": .integer(Int64(uses)), "hours": .integer(Int64(hours))], home)
            if home.json { return Console.value(made) }
            Console.out(made.object?["invite"]?.string ?? "")
            Console.note("Good for \(uses) registration(s) within \(hours) hours: godwit register --invite …")
        }
    }

    struct Maintenance: AsyncParsableCommand {
        enum State: String, ExpressibleByArgument, CaseIterable { case on, off, status }

        static let configuration = CommandConfiguration(
            abstract: "Send everybody away for a while, or let them in again.",
            discussion:
                "Requests get error 9001 with the seconds to wait, sockets are closed; a restart does not end it.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "on, off or status.")
        var state: State

        func run() async throws {
            var request: JSONObject = ["request": "maintenance"]
            if state != .status { request["on"] = .bool(state == .on) }
            let answer = try await NodeControl.ask(request, home)
            if home.json { return Console.value(answer) }
            Console.out(
                answer.object?["maintenance"]?.bool == true
                    ? "The node is being maintained." : "The node takes traffic.")
        }
    }

    struct Audit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what happened to accounts and to the node, newest first.",
            discussion: "Users stand there by a digest of their id; --user asks for one.")

        @OptionGroup var home: HomeOptions
        @Option(help: "Only what concerns this user or node id.")
        var user: String?
        @Option(help: "At most so many events.")
        var limit = 100

        func run() async throws {
            var request: JSONObject = ["request": "audit", "limit": .integer(Int64(limit))]
            if let user { request["user"] = .string(user) }
            let events = try await NodeControl.ask(request, home)
            if home.json { return Console.value(events) }
            let rows = (events.array ?? []).compactMap(\.object)
            Console.table(
                ["at", "what", "subject", "count", "detail"],
                rows.map { row in
                    ["at", "kind", "subject"].map { row[$0]?.string ?? "-" }
                        + [String(row["count"]?.integer ?? 1), row["detail"]?.string ?? ""]
                })
        }
    }

    struct ResetFactor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-factor", abstract: "Take the second factor from a user who has lost it.",
            discussion: "Make sure that it is the user who asks.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "User id.")
        var user: String

        func run() async throws {
            let answer = try await NodeControl.ask(["request": "reset_second_factor", "user": .string(user)], home)
            if home.json { return Console.value(["reset": answer]) }
            Console.out(answer.bool == true ? "Taken away." : "The user has no second factor.")
        }
    }
}
