import GRDB
import GodwitCompression
import GodwitProtocol

/// Numbers of phrase models as a column holds them: `,1,7,`, or nothing.
struct PhraseModelNumbers {
    var numbers: Set<UInt8>

    init(_ numbers: Set<UInt8>) { self.numbers = numbers }

    var text: String {
        numbers.isEmpty ? "" : "," + numbers.sorted().map(String.init).joined(separator: ",") + ","
    }

    /// What `text` holds if the number is among them.
    static func mark(_ number: UInt8) -> String { ",\(number)," }
}

extension PhraseModelLibrary {
    /// Models that a device names in its entry: those whose numbers mean the same everywhere.
    var announced: [UInt8] { numbers.filter { $0 <= 127 }.suffix(DeviceEntry.modelsMax) }
}

extension ClientTransaction {
    /// The phrase model that every reader of a target holds as far as is known here, this device included; the newest
    /// of several. Nil if one of them lacks it or is not known yet: nobody gets what he cannot read.
    func commonModel(of target: MessageTarget) throws -> PhraseModel? {
        for number in context.models.announced.reversed() where try everybody(of: target, holds: number) {
            return context.models[number]
        }
        return nil
    }

    private func everybody(of target: MessageTarget, holds number: UInt8) throws -> Bool {
        let mark = PhraseModelNumbers.mark(number)
        let counts: Row?
        switch target {
        case .channel(let id):
            guard let channel = try channel(id) else { return false }
            counts = try row(
                """
                SELECT count(*) AS readers, sum(instr(coalesce(d.models, ''), ?) > 0) AS holders
                FROM client_member m LEFT JOIN client_device d ON d.user = m.user AND d.device = m.device
                WHERE m.channel = ?
                """, [mark, channel.row])
        case .user(let user):
            counts = try row(
                """
                SELECT count(*) AS readers, sum(instr(models, ?) > 0) AS holders FROM client_device WHERE user = ?
                """, [mark, user.text])
        }
        guard let counts, let readers = counts["readers"] as Int?, readers > 0 else { return false }
        return counts["holders"] as Int? == readers
    }
}
