import GRDB
import GodwitCrypto
import GodwitProtocol

extension ClientTransaction {
    /// Warnings that are kept; the oldest go first.
    static let warningsMax: Int64 = 1_000

    func warn(_ rejected: Rejected, about subject: String? = nil) throws {
        try run(
            "INSERT INTO client_warning (at, code, message, hint, subject) VALUES (?, ?, ?, ?, ?)",
            [now.milliseconds, rejected.code.rawValue, rejected.message, rejected.hint, subject])
        try run("DELETE FROM client_warning WHERE warning <= ?", [database.lastInsertedRowID - Self.warningsMax])
    }

    func warnings(limit: Int) throws -> [ClientWarning] {
        try rows("SELECT * FROM client_warning ORDER BY warning DESC LIMIT ?", [limit]).map { row in
            ClientWarning(
                row: row["warning"], at: Timestamp(milliseconds: row["at"]),
                code: ClientWarning.Code(rawValue: row["code"]) ?? .malformed, message: row["message"],
                hint: row["hint"], subject: row["subject"])
        }
    }
}

extension Rejected {
    /// What a failed check says to the device's user.
    init(_ error: ProtocolError) {
        self.init(
            error.code == .invalidCredentials ? .badSignature : .malformed, error.message, hint: error.hint)
    }

    init(_ error: CryptoError) {
        let message =
            switch error {
            case .keyGone: "A message's key was used before or has been dropped."
            case .tooFarAhead: "A message is more than 2,000 places ahead of its chain."
            case .authenticationFailed: "A message does not decrypt."
            default: "A message's keys or header cannot be used."
            }
        self.init(.unreadable, message, hint: "Ask the author to send it again.")
    }
}
