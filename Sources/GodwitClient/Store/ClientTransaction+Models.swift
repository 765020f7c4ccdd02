import GRDB
import GodwitCompression
import GodwitProtocol

/// Numbers of phrase models as a column holds them: `1,7`, or nothing.
struct PhraseModelNumbers {
    var numbers: Set<UInt8>

    init(_ numbers: Set<UInt8>) { self.numbers = numbers }
    init(text: String) { numbers = Set(text.split(separator: ",").compactMap { UInt8($0) }) }

    var text: String { numbers.sorted().map(String.init).joined(separator: ",") }
}

extension PhraseModelLibrary {
    /// Models that a device names in its entry: those whose numbers mean the same everywhere.
    var announced: [UInt8] { numbers.filter { $0 <= 127 }.suffix(16) }
}

/// Which phrase model a content may be coded with: nobody gets what he cannot read (D-9).
extension ClientTransaction {
    /// The newest model that everybody in an epoch can read, and that is at hand.
    func commonModel(in epoch: KnownEpoch) -> PhraseModel? {
        context.models.announced.last { epoch.models.contains($0) }.flatMap { context.models[$0] }
    }

    /// The newest model that every known device of a user and every other one of this user can read, and that is at hand.
    func commonModel(with user: UserID) throws -> PhraseModel? {
        guard try isKnown(user) else { return nil }
        let devices = try rows(
            "SELECT models FROM client_device WHERE user = ?1 OR (user = ?2 AND device <> ?3)",
            [user.text, context.user.text, context.device.text]
        )
        .map { PhraseModelNumbers(text: $0["models"]).numbers }
        guard !devices.isEmpty else { return nil }
        return context.models.announced.last { number in devices.allSatisfy { $0.contains(number) } }
            .flatMap { context.models[$0] }
    }
}
