import FoundationEssentials
import GodwitClient
import GodwitProtocol

/// The directories of a home whose user moves to another node: the new id is made ready in `moving/client`, and takes the
/// place of `client` when all is done; the old one goes on in `former/USER-ID/client`, which is a home like any other.
struct MovingHome {
    private let home: String

    init(_ home: String) { self.home = home }

    /// The new id while it is made ready.
    var next: ClientFiles { ClientFiles(directory: home + "/moving/client") }
    var preparation: String { home + "/moving" }

    func former(_ user: UserID) -> ClientFiles { ClientFiles(directory: home + "/former/\(user)/client") }

    /// Ids from before, as far as their homes are there, in the order of their names.
    var formers: [ClientFiles] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: home + "/former")) ?? []
        return names.sorted().map { ClientFiles(directory: home + "/former/\($0)/client") }.filter(\.exists)
    }

    /// Puts the new id in the place of the old one. What is cut off between the two steps is finished by `finish`.
    /// - Throws: `ProtocolError` 9000.
    func exchange(from user: UserID) throws {
        let old = former(user)
        do {
            try Wiring.makeDirectory(home + "/former/\(user)")
            try FileManager.default.moveItem(atPath: home + "/client", toPath: old.directory)
            try FileManager.default.moveItem(atPath: next.directory, toPath: home + "/client")
        } catch let error as ProtocolError {
            throw error
        } catch {
            throw ProtocolError(
                .internalError, "The new identity could not be put in its place.",
                hint: "Check permissions below \(home), and run the command again.")
        }
        try? FileManager.default.removeItem(atPath: preparation)
    }

    /// After `exchange` was cut off: the old id is away, and the new one not in its place.
    func finish() {
        guard !Wiring.exists(home + "/client"), next.exists, !formers.isEmpty else { return }
        try? FileManager.default.moveItem(atPath: next.directory, toPath: home + "/client")
        try? FileManager.default.removeItem(atPath: preparation)
    }
}
