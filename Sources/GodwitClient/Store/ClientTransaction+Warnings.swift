import GRDB
import GodwitCrypto
import GodwitProtocol

extension ClientTransaction {
    /// Warnings that are kept; the oldest go first.
    static let warningsMax: Int64 = 1_000

    /// The same as before is counted and not kept twice, so that repetition pushes out nothing else.
    func warn(_ rejected: Rejected, about subject: String? = nil) throws {
        if let change = rejected.change { try note(change) }
        let before = try row(
            "DELETE FROM client_warning WHERE code = ? AND message = ? AND subject IS ? RETURNING times",
            [rejected.code.rawValue, rejected.message, subject])
        try run(
            "INSERT INTO client_warning (at, code, message, hint, subject, times) VALUES (?, ?, ?, ?, ?, ?)",
            [
                now.milliseconds, rejected.code.rawValue, rejected.message, rejected.hint, subject,
                (before?["times"] ?? 0) + 1,
            ])
        try run(
            """
            DELETE FROM client_warning WHERE warning <= (
              SELECT warning FROM client_warning ORDER BY warning DESC LIMIT 1 OFFSET ?)
            """, [Self.warningsMax])
    }

    func warnings(limit: Int, code: ClientWarning.Code? = nil) throws -> [ClientWarning] {
        try rows(
            "SELECT * FROM client_warning WHERE code = ifnull(?, code) ORDER BY warning DESC LIMIT ?",
            [code?.rawValue, limit]
        ).map { row in
            ClientWarning(
                row: row["warning"], at: Timestamp(milliseconds: row["at"]),
                code: ClientWarning.Code(rawValue: row["code"]) ?? .malformed, message: row["message"],
                hint: row["hint"], subject: row["subject"], times: row["times"])
        }
    }
}

extension ProtocolError {
    /// The store is full or broken, which says nothing about the item that was looked at.
    var isOfStore: Bool { code == .bandwidthExceeded || code == .internalError }
}

extension ClientTransaction {
    /// Reads what this device has stored itself. What does not read back is damage, no fault of the item at hand.
    ///
    /// - Throws: `ProtocolError` 9000.
    static func stored<Value>(_ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch  where error is ProtocolError || error is CryptoError {
            throw ProtocolError(
                .internalError, "The device's store holds something that does not read back.",
                hint: "Run `godwit spool verify`; if the store is damaged, enrol as a new device.")
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
