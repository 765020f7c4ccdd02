import ArgumentParser
import GodwitClient
import GodwitProtocol

struct ContactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact", abstract: "Other users: keys, names, blocks.",
        discussion: "Works without the node. Names and blocks stand in the identity file, and the node learns of them, "
            + "once `godwit identity publish` was run.",
        subcommands: [
            List.self, Show.self, Verify.self, Unverify.self, Accept.self, Vouch.self, Block.self, Unblock.self,
            Alias.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List users of whom this device knows something.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let contacts = try await ClientFiles(home).withDevice { try await $0.contacts() }
            guard !home.json else {
                for contact in contacts { Console.json(ContactLine.object(contact)) }
                return
            }
            Console.table(
                ["user", "key", "alias", "notes"],
                contacts.map { contact in
                    [
                        contact.user.text, ContactLine.word(contact), contact.aliases.joined(separator: ","),
                        ContactLine.notes(contact),
                    ]
                })
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is known of a user, and the safety number to compare.",
            discussion: "Both of you see the same 60 digits if nobody stands between you. Compare them over another "
                + "way, such as a telephone or face to face.")

        @OptionGroup var person: Person
        @Flag(help: "Also draw the QR code that the other side can scan.")
        var qr = false
        @Flag(help: "The number of the key that was shown in place of the pinned one.")
        var offered = false

        func run() async throws {
            try await person.with { device, user in
                guard let contact = try await device.contact(user) else { throw Person.unknown(user) }
                guard contact.publicKey != nil else {
                    return person.home.json
                        ? Console.json(ContactLine.object(contact))
                        : Console.out("\(user): no key was seen yet. \(ContactLine.notes(contact))")
                }
                let number = try await device.safetyNumber(with: user, offered: offered)
                guard person.home.json else { return show(contact, number) }
                Console.json(
                    ContactLine.object(contact).setting("safety_number", .string(number.digits))
                        .setting("scannable", .string(number.scannable)))
            }
        }

        private func show(_ contact: Contact, _ number: SafetyNumber) {
            Console.out("user:    \(contact.user)")
            if !contact.aliases.isEmpty { Console.out("alias:   \(contact.aliases.joined(separator: ", "))") }
            Console.out("devices: \(contact.devices)")
            Console.out("key:     \(ContactLine.word(contact))")
            let notes = ContactLine.notes(contact)
            if !notes.isEmpty { Console.out("notes:   \(notes)") }
            ContactLine.show(number, qr: qr)
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Note that you have compared a user's safety number.",
            discussion: "Asks at the terminal. In a script give what the other side sees: --number with its 60 digits, "
                + "or --scanned with what its QR code says. What does not agree is refused.")

        @OptionGroup var person: Person
        @Flag(help: "Also draw the QR code that the other side can scan.")
        var qr = false
        @Option(help: "What the other side's QR code says.")
        var scanned: String?
        @Option(help: "The 60 digits that the other side sees; spaces do not matter.")
        var number: String?

        func validate() throws {
            guard scanned == nil || number == nil else {
                throw ValidationError("--scanned and --number exclude each other.")
            }
        }

        func run() async throws {
            try await person.with { device, user in
                let own = try await device.safetyNumber(with: user)
                guard try scanned ?? number != nil ? own.agrees(with: scanned ?? number ?? "") : ask(own) else {
                    throw ProtocolError(
                        .invalidCredentials, "The numbers do not agree: this is not the key that the other side has.",
                        hint: "Somebody may stand between you. Do not write anything that must stay between you.")
                }
                try await device.setVerified(user, true)
                person.say(["verified": .string(user.text)], "\(user) is verified.")
            }
        }

        private func ask(_ own: SafetyNumber) throws -> Bool {
            guard Terminal.isThere, !person.home.json else {
                throw ProtocolError.malformed(
                    "There is nobody to ask.", hint: "Give the other side's number with --number or --scanned.")
            }
            ContactLine.show(own, qr: qr)
            Console.note("Does the other side see the same number? [yes/no]")
            return ["yes", "y"].contains(readLine()?.lowercased() ?? "")
        }
    }

    struct Unverify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take the mark of a verified key away.")

        @OptionGroup var person: Person

        func run() async throws {
            try await person.with { device, user in
                try await device.setVerified(user, false)
                person.say(["unverified": .string(user.text)], "\(user) is not verified any more.")
            }
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Believe the key that a user has shown in place of the pinned one.",
            discussion: "Until then the pinned key stays in use and the warning stays. Compare first: "
                + "`godwit contact show USER --offered`. The mark of a verified key goes.")

        @OptionGroup var person: Person

        func run() async throws {
            try await person.with { device, user in
                try await device.acceptKey(of: user)
                person.say(
                    ["accepted": .string(user.text)], "The new key of \(user) is in use. It is not verified yet.")
            }
        }
    }
}

/// The user whom a command is about.
struct Person: ParsableArguments {
    @OptionGroup var home: HomeOptions
    @Argument(help: "User id or alias.")
    var user: String

    func with(_ body: (Device, UserID) async throws -> Void) async throws {
        try await ClientFiles(home).withDevice { try await body($0, $0.user(named: user)) }
    }

    func say(_ object: JSONObject, _ line: String) { home.json ? Console.json(object) : Console.out(line) }

    static func unknown(_ user: UserID) -> ProtocolError {
        ProtocolError(
            .userNotFound, "This device knows nothing of the user.",
            hint: "Keys come with the first message, either way: write one and sync.",
            details: ["user_id": .string(user.text)])
    }
}

/// Contacts as commands show them.
enum ContactLine {
    /// How far the pinned key is believed.
    static func word(_ contact: Contact) -> String {
        contact.publicKey == nil ? "-" : contact.isVerified ? "verified" : "pinned"
    }

    static func notes(_ contact: Contact) -> String {
        var notes: [String] = []
        if contact.offered != nil { notes.append("KEY CHANGED: see `godwit contact show \(contact.user) --offered`") }
        if !contact.vouchers.isEmpty {
            notes.append("vouched by " + contact.vouchers.map(\.text).joined(separator: ", "))
        }
        if contact.isBlocked { notes.append("blocked") }
        return notes.joined(separator: "; ")
    }

    static func object(_ contact: Contact) -> JSONObject {
        [
            "user_id": .string(contact.user.text),
            "public_key": contact.publicKey.map { .string(PublicKeyText.text(ed25519: $0)) } ?? .null,
            "verified": contact.verified.map { .string($0.description) } ?? .null,
            "offered_key": contact.offered.map { .string(PublicKeyText.text(ed25519: $0.publicKey)) } ?? .null,
            "offered_since": contact.offered.map { .string($0.since.description) } ?? .null,
            "vouched_by": .array(contact.vouchers.map { .string($0.text) }), "blocked": .bool(contact.isBlocked),
            "aliases": .array(contact.aliases.map { .string($0) }), "devices": .integer(Int64(contact.devices)),
        ]
    }

    /// The number in three lines, and its code.
    static func show(_ number: SafetyNumber, qr: Bool) {
        let groups = number.groups
        for start in stride(from: 0, to: groups.count, by: 4) {
            Console.out((start == 0 ? "number:  " : "         ") + groups[start..<start + 4].joined(separator: " "))
        }
        guard qr, let code = try? QRCode(Array(number.scannable.utf8)) else { return }
        for line in code.lines { Console.out(line) }
    }
}
