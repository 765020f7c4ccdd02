import ArgumentParser
import GodwitClient
import GodwitProtocol

struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Show what was written here, how far it has come, and what it waits for.",
        discussion: """
            queued: on this device. at_node: the home node has it in custody. forwarded: the next node has it, as far as \
            the home node was asked (--where). delivered and read: a device of the reader said so (direct messages). \
            refused and expired: it goes no further.
            """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "Only this conversation: #channel, #channel:node, @user-id or an alias.")
    var conversation: String?
    @Flag(help: "Only what is still on its way.")
    var pending = false
    @Option(help: "At most so many, the newest.")
    var limit = 50
    @Flag(name: .customLong("where"), help: "Ask the home node first what has gone on, and when the rest goes.")
    var asksNode = false

    func run() async throws {
        let files = ClientFiles(home)
        try await files.withDevice { device in
            let book = try await device.addressBook()
            let filter = try conversation.map { text throws(ProtocolError) in
                try book.target(text).conversation(of: device.userID)
            }
            if asksNode { try await ask(files, device, filter) }
            let entries = try await device.recentOutbox(
                conversation: filter, onlyPending: pending, limit: max(0, limit))
            for entry in entries {
                home.json ? Console.json(OutboxLine.object(entry)) : Console.out(OutboxLine.text(entry, book))
            }
        }
    }

    /// What waits goes with the same contact, so it is asked about in another.
    private func ask(_ files: ClientFiles, _ device: Device, _ conversation: Conversation?) async throws {
        let carrier = try files.carrier()
        if try await device.status().queued > 0 { _ = try await device.sync(over: carrier) }
        if try await device.askCustody(of: conversation) > 0 { _ = try await device.sync(over: carrier) }
    }
}

/// An own message and what it waits for.
enum OutboxLine {
    static func text(_ entry: TrackedEntry, _ book: AddressBook) -> String {
        let name = entry.entry.id?.text ?? "Message \(entry.entry.row)"
        let text = TextCells.prefix(TextCells.clean(entry.entry.text), cells: 40)
        return "\(entry.entry.created)  \(name)  \(book.name(of: entry.entry.target))  \(entry.state)  \(text)"
            + (remarks(entry).isEmpty ? "" : " (\(remarks(entry).joined(separator: "; ")))")
    }

    /// What it waits for, and when it goes.
    private static func remarks(_ entry: TrackedEntry) -> [String] {
        let goes: String? =
            switch entry.goes {
            case .at(let time): "goes \(time)"
            // That is what it waits for.
            case .nextContact, nil: nil
            }
        return [entry.waitsFor, goes].compactMap(\.self)
    }

    static func object(_ entry: TrackedEntry) -> JSONObject {
        var object: JSONObject = [
            "row": .integer(entry.entry.row), "message_id": entry.entry.id.map { .string($0.text) } ?? .null,
            "to": .string(entry.entry.target.description), "text": .string(entry.entry.text),
            "timestamp": .string(entry.entry.created.description), "state": .string(entry.state),
        ]
        if let waitsFor = entry.waitsFor { object["waits_for"] = .string(waitsFor) }
        switch entry.goes {
        case .at(let time): object["goes"] = .string(time.description)
        case .nextContact: object["goes"] = "next_contact"
        case nil: break
        }
        if !entry.copies.isEmpty {
            object["copies"] = .array(
                entry.copies.map { copy in
                    [
                        "next": .string(copy.next.text), "state": .string(copy.state.rawValue),
                        "goes": copy.goes.map { .string($0.description) } ?? .null,
                        "told": .string(copy.told.description),
                    ]
                })
        }
        if let next = entry.link?.next { object["next"] = .string(next.text) }
        if let tier = entry.link?.tier { object["tier"] = .integer(tier) }
        if let error = entry.entry.error {
            object["code"] = .string(error.code.name)
            object["message"] = .string(error.message)
        }
        return object
    }
}
