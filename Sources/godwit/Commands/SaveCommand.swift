import ArgumentParser
import GodwitClient
import GodwitProtocol

struct SaveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save", abstract: "Keep a file that came in a message.",
        discussion:
            "`godwit read` and `godwit history` show which messages have files, with --json also their ids. Of a "
            + "file in several messages any of them names it; it is there when all have come. Nothing is overwritten "
            + "without --force.")

    @OptionGroup var home: HomeOptions
    @Argument(help: "Id of the message.")
    var id: String
    @Argument(help: "Where to: a file, a directory, or - for standard output; if left out, here under the file's name.")
    var path: String?
    @Flag(help: "Overwrite what is there.")
    var force = false

    func run() async throws {
        try await ClientFiles(home).withDevice { device in
            let file = try await device.file(of: try MessageID(id))
            guard path != "-" else { return Console.raw(file.bytes) }
            let saved = try AttachedFile.save(file, at: path, replacing: force)
            home.json
                ? Console.json(file.attachment.summary.setting("path", .string(saved)))
                : Console.out("Saved as \(saved).")
        }
    }
}
