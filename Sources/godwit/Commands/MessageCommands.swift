import ArgumentParser
import GodwitClient
import GodwitContact
import GodwitProtocol

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Write a message; it is kept until it has been handed over.",
        discussion: "Works offline. With --sync it calls the home node right after. A text that is too long for a thin "
            + "link on the way goes in at most 8 parts (--split, the default), or waits whole for a better link (--wait). "
            + "A file (--file, --voice) of at most 1,048,576 bytes goes in messages of up to 32,768 bytes, and the text "
            + "beside it; a link that carries no files holds it until there is a better one."
    )

    @OptionGroup var home: HomeOptions
    @Argument(help: "#channel, #channel:node, @user-id or an alias; quote it for the shell.")
    var to: String
    @Argument(help: "The text, or - for standard input; with a file it may be left out.")
    var text = ""
    @Option(help: "A file to send.")
    var file: String?
    @Option(help: "A recording to send as a voice message: Opus in Ogg, as opusenc writes it.")
    var voice: String?
    @Flag(help: "Mark the text as Markdown.")
    var markdown = false
    @Option(name: .customLong("reply-to"), help: "Id of the message that this one answers.")
    var replyTo: String?
    @Option(help: "A user id that the text mentions; may be given several times.")
    var mention: [String] = []
    @Option(help: "Id, or number while it has none, of an own message in whose place the text is to be shown.")
    var edit: String?
    @Option(help: "Id of a message; the text is a reaction to it, such as one emoji.")
    var react: String?
    @Flag(help: "With --react: take the reaction back.")
    var remove = false
    @Flag(help: "Call the home node right after.")
    var sync = false
    @Flag
    var long = LongTextChoice.split

    func run() async throws {
        let files = ClientFiles(home)
        try await files.withDevice { try await send(over: files, $0) }
    }

    private func send(over files: ClientFiles, _ device: Device) async throws {
        let body = text == "-" ? try Self.text(Wiring.read("-")) : text
        guard !body.isEmpty || attached != nil else {
            throw ProtocolError.malformed("The text is empty.", hint: "Give one, or - to read standard input.")
        }
        let sent = if let attached { try await write(attached, body, device) } else { try await write(body, device) }
        if sync { _ = try await device.sync(over: files.carrier()) }
        for entry in sent.entries {
            let now = try await device.outbox(after: entry.row - 1, limit: 1).first ?? entry
            guard home.json else {
                Console.out("\(now.id?.text ?? "Message \(now.row)"): \(now.state.rawValue)")
                continue
            }
            var object: JSONObject = [
                "message_id": now.id.map { .string($0.text) } ?? .null, "state": .string(now.state.rawValue),
                "row": .integer(now.row),
            ]
            if attached != nil || sent.link != nil { object["parts"] = .integer(Int64(sent.entries.count)) }
            if let link = sent.link {
                object["link"] = [
                    "next": .string(link.next.text), "tier": .integer(link.tier),
                    "text_max": link.allowed.textMax.map { .integer($0) } ?? .null,
                ]
            }
            Console.json(object)
        }
        if !home.json, let word = Self.word(sent) { Console.out(word) }
    }

    func validate() throws {
        guard [edit, react, replyTo, file, voice].compactMap({ $0 }).count < 2 else {
            throw ValidationError("--reply-to, --edit, --react, --file and --voice exclude each other.")
        }
        guard !remove || react != nil else { throw ValidationError("--remove goes with --react.") }
    }

    private var attached: String? { file ?? voice }

    private func write(_ path: String, _ caption: String, _ device: Device) async throws -> Device.Sent {
        let target = try await device.addressBook().target(to)
        let entries = try await device.send(
            file: try AttachedFile.read(path), named: AttachedFile.name(of: path), isVoice: voice != nil,
            caption: caption, to: target)
        return Device.Sent(entries: entries, link: nil, scalars: caption.unicodeScalars.count)
    }

    private func write(_ body: String, _ device: Device) async throws -> Device.Sent {
        let format: Device.TextFormat = markdown ? .markdown : .plain
        let book = try await device.addressBook()
        let mentions = try mention.map { text throws(ProtocolError) in try book.user(text) }
        let target = try book.target(to)
        if let edit, let row = Int64(edit) {
            let entry = try await device.edit(row: row, text: body, format: format, mentions: mentions)
            return Device.Sent(entries: [entry], link: nil, scalars: body.unicodeScalars.count)
        }
        if let about = try (edit ?? react).map({ text throws(ProtocolError) in try MessageID(text) }) {
            let conversation = target.conversation(of: device.userID)
            guard try await device.conversation(of: about) == conversation else {
                throw ProtocolError.malformed("The message is of another conversation.", member: "id")
            }
            let entry =
                edit != nil
                ? try await device.edit(about, text: body, format: format, mentions: mentions)
                : try await device.react(to: about, body, removing: remove)
            return Device.Sent(entries: [entry], link: nil, scalars: body.unicodeScalars.count)
        }
        return try await device.send(
            text: body, format: format, mentions: mentions,
            replyTo: replyTo.map { text throws(ProtocolError) in try MessageID(text) }, to: target,
            ifTooLong: long.rule)
    }

    /// What the author should know of a text that is too long for a link.
    private static func word(_ sent: Device.Sent) -> String? {
        guard let link = sent.link, let most = link.allowed.textMax else { return nil }
        let fact =
            "The text has \(sent.scalars) characters, and the link to \(link.next) is in Tier \(link.tier), "
            + "which takes \(most)."
        return sent.entries.count > 1
            ? "\(fact) It goes in \(sent.entries.count) parts." : "\(fact) It waits at the node for a better link."
    }
}

/// `--split` or `--wait`.
enum LongTextChoice: String, EnumerableFlag {
    case split, wait

    var rule: Device.LongText { self == .split ? .split : .wait }

    static func help(for value: LongTextChoice) -> ArgumentHelp? {
        value == .split
            ? "Send a text that is too long for a link on the way in at most 8 parts."
            : "Send such a text whole; it waits for a better link."
    }
}

extension SendCommand {
    /// - Throws: `ProtocolError` 2000: what is not UTF-8 is refused, for a repaired text would be another one.
    static func text(_ bytes: [UInt8]) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProtocolError.malformed("The text is not UTF-8.", hint: "Convert it first, for example with iconv.")
        }
        return text
    }
}

struct ReadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Show what has arrived.",
        discussion:
            "Does not call the node: see `godwit sync`. After a move to another node this shows what came for the "
            + "ids from before as well, first, unless --after is given.")

    @OptionGroup var home: HomeOptions
    @Argument(help: "Only this conversation: #channel, #channel:node, @user-id or an alias.")
    var conversation: String?
    @Option(help: "Only what came after this row.")
    var after: Int64 = 0
    @Flag(help: "Only what was not shown before.")
    var unread = false
    @Option(help: "At most so many.")
    var limit = 100

    func run() async throws {
        let files = ClientFiles(home)
        if after == 0 {
            for former in MovingHome(home.home).formers { try await former.withDevice(show) }
        }
        try await files.withDevice(show)
    }

    private func show(_ device: Device) async throws {
        let book = try await device.addressBook()
        let filter = try conversation.map { text throws(ProtocolError) in
            try book.target(text).conversation(of: device.userID)
        }
        let entries = try await device.inbox(
            conversation: filter, after: after, onlyUnread: unread, limit: limit)
        for entry in entries {
            home.json ? Console.json(MessageLine.object(entry)) : Console.out(MessageLine.text(entry))
        }
        if let last = entries.last { try await device.markRead(upTo: last.row) }
    }
}

struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Hand over what waits and fetch what has come, in as few round trips as it takes.")

    @OptionGroup var home: HomeOptions

    func run() async throws {
        let files = ClientFiles(home)
        try await files.withDevice { try await sync(over: files, $0) }
    }

    /// Kinds of warnings that are told in full.
    private static let told: Set<ClientWarning.Code> = [.refused, .removed, .moved, .keyChanged, .copied]

    private func sync(over files: ClientFiles, _ device: Device) async throws {
        let isPlain = !home.json
        let refusedBefore = try await device.status().outbox[.refused] ?? 0
        let warned = try await device.warnings(limit: 1).first?.row ?? 0
        let contact: Result<ContactReport, any Error>
        do {
            contact = .success(
                try await device.sync(over: files.carrier()) { soFar in
                    if isPlain, Console.isTerminal { Console.raw("\r\(soFar.receivedItems) items received ") }
                })
        } catch {
            contact = .failure(error)
        }
        // Also where the new node is out of reach: what was written to an old id waits elsewhere.
        let formers = await FormerID.syncAll(MovingHome(home.home), current: device)
        let report = try contact.get()
        let status = try await device.status()
        let unsent = (status.outbox[.waitingKeys] ?? 0) + (status.outbox[.sealed] ?? 0)
        let said = try await device.warnings().filter { $0.row > warned }
        let held = said.filter { $0.code == .held }
        let notices = said.filter { Self.told.contains($0.code) }.reversed()
        let others = said.count - held.count - notices.count
        let refused = try await Self.refused(device, count: (status.outbox[.refused] ?? 0) - refusedBefore)
        if home.json {
            Console.json(
                Self.object(report).setting("waiting", .integer(Int64(unsent)))
                    .setting("warnings", .integer(Int64(status.warnings)))
                    .setting("held", .array(held.compactMap { $0.subject.map { .string($0) } }))
                    .setting("refused", .array(refused.map { .object(Self.object($0)) }))
                    .setting("notices", .array(notices.map { .object(WarningLine.object($0)) }))
                    .setting("former", .array(formers.map { .object($0.object) })))
        } else {
            if Console.isTerminal { Console.raw("\r") }
            Console.out(
                "Received \(report.receivedItems) items, handed over \(report.releasedItems); "
                    + "\(report.sent) up, \(report.received) down in \(report.exchanges) round trips.")
            for former in formers { Console.out(former.line) }
            if unsent > 0 { Console.out("\(unsent) messages still wait on this device.") }
            for warning in held { Console.out(WarningLine.sentence(warning)) }
            for notice in notices { Console.out(WarningLine.sentence(notice)) }
            if others > 0 { Console.out("\(others) new warnings: `godwit warnings` shows them.") }
            for entry in refused {
                Console.out("Message \(entry.row) was refused: \(entry.error?.message ?? "no reason was given")")
            }
        }
    }

    /// The last messages that were refused.
    private static func refused(_ device: Device, count: Int) async throws -> [OutboxEntry] {
        guard count > 0 else { return [] }
        return try await Array(device.outbox(limit: Int(Int32.max)).filter { $0.state == .refused }.suffix(count))
    }

    private static func object(_ entry: OutboxEntry) -> JSONObject {
        var object: JSONObject = ["row": .integer(entry.row)]
        if let id = entry.id { object["message_id"] = .string(id.text) }
        if let error = entry.error {
            object["code"] = .string(error.code.name)
            object["message"] = .string(error.message)
        }
        return object
    }

    static func object(_ report: ContactReport) -> JSONObject {
        [
            "received": .integer(Int64(report.receivedItems)), "handed_over": .integer(Int64(report.releasedItems)),
            "bytes_up": .integer(Int64(report.sent.bytes)), "bytes_down": .integer(Int64(report.received.bytes)),
            "round_trips": .integer(Int64(report.exchanges)), "repeated": .integer(Int64(report.repeatedFrames)),
        ]
    }
}
