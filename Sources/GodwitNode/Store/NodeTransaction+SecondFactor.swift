import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

extension NodeTransaction {
    func secondFactor(of user: UserID) throws -> SecondFactor? {
        guard
            let row = try row(
                """
                SELECT kind, algorithm, digits, secret, counter, is_confirmed FROM node_second_factor WHERE user = ?
                """, [user.text]), let kind = SecondFactor.Kind(rawValue: row["kind"]),
            let algorithm = OneTimePassword.Algorithm(rawValue: row["algorithm"])
        else { return nil }
        return SecondFactor(
            kind: kind, algorithm: algorithm, digits: row["digits"],
            secret: try SecretSeal(context.signingKey).open([UInt8](row["secret"] as Data), of: user),
            counter: row["counter"], isConfirmed: row["is_confirmed"])
    }

    /// Keeps a factor that its user has still to confirm; it takes the place of another.
    func propose(_ factor: SecondFactor, for user: UserID) throws {
        try removeSecondFactor(of: user)
        try run(
            """
            INSERT INTO node_second_factor (user, kind, algorithm, digits, secret, counter, is_confirmed, since)
            VALUES (?, ?, ?, ?, ?, ?, 0, ?)
            """,
            [
                user.text, factor.kind.rawValue, factor.algorithm.rawValue, factor.digits,
                Data(try SecretSeal(context.signingKey).seal(factor.secret, of: user)), factor.counter,
                now.milliseconds,
            ])
    }

    /// From now on the factor is asked for at each login.
    /// - Returns: fresh recovery codes, which are shown once.
    func confirmSecondFactor(of user: UserID) throws -> [String] {
        try run("UPDATE node_second_factor SET is_confirmed = 1 WHERE user = ?", [user.text])
        try run("DELETE FROM node_recovery_code WHERE user = ?", [user.text])
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode.random() }
        for code in codes {
            try run(
                "INSERT INTO node_recovery_code (user, hash) VALUES (?, ?)",
                [user.text, Data(RecoveryCode.hash(code, of: user))])
        }
        return codes
    }

    /// - Returns: whether there was one.
    @discardableResult
    func removeSecondFactor(of user: UserID) throws -> Bool {
        try run("DELETE FROM node_second_factor WHERE user = ?", [user.text])
        return database.changesCount > 0
    }

    func recoveryCodes(of user: UserID) throws -> Int {
        try row("SELECT count(*) AS count FROM node_recovery_code WHERE user = ?", [user.text])?["count"] ?? 0
    }

    /// Uses up a password or a recovery code of a user.
    /// - Returns: false for a wrong one, and for one that was used before.
    func accept(_ password: String, by factor: SecondFactor, of user: UserID) throws -> Bool {
        if RecoveryCode.isOne(password) {
            guard factor.isConfirmed else { return false }
            try run(
                "DELETE FROM node_recovery_code WHERE user = ? AND hash = ?",
                [user.text, Data(RecoveryCode.hash(password, of: user))])
            return database.changesCount > 0
        }
        guard let counter = factor.accepting(password, at: now) else { return false }
        try run("UPDATE node_second_factor SET counter = ? WHERE user = ?", [counter, user.text])
        return true
    }
}
