import GodwitCrypto
import GodwitProtocol

/// Commands about one's second factor (MFA-01, docs/protocol.md §9.3).
struct SecondFactorDesk: Sendable {
    let core: NodeCore

    /// Nil for a command that is not one of these.
    func carryOut(_ name: String, _ data: ObjectReader, _ session: Session) async throws -> JSONObject? {
        switch name {
        case "second_factor": return try await state(session)
        case "enrol_second_factor": return try await enrol(data, session)
        case "confirm_second_factor": return try await confirm(data, session)
        case "remove_second_factor": return try await remove(data, session)
        default: return nil
        }
    }

    private func state(_ session: Session) async throws -> JSONObject {
        try await core.read { transaction in
            let factor = try transaction.secondFactor(of: session.user)
            guard let factor, factor.isConfirmed else { return ["required": false] }
            return [
                "required": true, "kind": .string(factor.kind.rawValue),
                "algorithm": .string(factor.algorithm.rawValue), "digits": .integer(Int64(factor.digits)),
                "recovery_codes": .integer(Int64(try transaction.recoveryCodes(of: session.user))),
            ]
        }
    }

    /// The secret is shown in this answer and never again; it counts once a password made with it has come.
    private func enrol(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        guard let kind = SecondFactor.Kind(rawValue: try data.optionalString("kind") ?? "totp") else {
            throw ProtocolError.malformed("A second factor is totp or hotp.", member: "kind")
        }
        guard
            let algorithm = OneTimePassword.Algorithm(rawValue: try data.optionalString("algorithm") ?? "SHA1")
        else { throw ProtocolError.malformed("The algorithm is SHA1 or SHA256.", member: "algorithm") }
        let digits = Int(try data.optionalInteger("digits", in: 6...8) ?? 6)
        let factor = SecondFactor(
            kind: kind, algorithm: algorithm, digits: digits,
            secret: .random(algorithm.secretCount, from: SystemRandom()), counter: kind == .totp ? -1 : 0,
            isConfirmed: false)
        let password = try data.optionalString("one_time_password")
        try await checked(password, session) { transaction, _ in
            try transaction.propose(factor, for: session.user)
        }
        return [
            "secret": .string(Base32.encode(factor.secret.copyBytes()).uppercased()),
            "uri": .string(factor.uri(of: session.user)),
        ]
    }

    private func confirm(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let password = try data.string("one_time_password")
        guard try await core.read({ try $0.secondFactor(of: session.user) })?.isConfirmed == false else {
            throw Self.nothingToConfirm
        }
        try core.gate.password(of: session.user)
        let codes = try await core.write { transaction -> [String]? in
            guard let factor = try transaction.secondFactor(of: session.user), !factor.isConfirmed else {
                throw Self.nothingToConfirm
            }
            guard try transaction.accept(password, by: factor, of: session.user) else { return nil }
            try transaction.audit(.secondFactorSet, session.user, factor.kind.rawValue)
            return try transaction.confirmSecondFactor(of: session.user)
        }
        guard let codes else { throw ProtocolError.wrongOneTimePassword }
        core.gate.rightPassword(of: session.user)
        return ["recovery_codes": .array(codes.map { .string($0) })]
    }

    private static let nothingToConfirm = ProtocolError.malformed(
        "There is no second factor to confirm.", hint: "Ask for one with enrol_second_factor.")

    private func remove(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let password = try data.optionalString("one_time_password")
        try await checked(password, session) { transaction, factor in
            guard factor != nil else { return }
            try transaction.removeSecondFactor(of: session.user)
            try transaction.audit(.secondFactorRemoved, session.user)
        }
        return [:]
    }

    /// Runs `body` if no factor is in force, or if the password fits the one that is: whoever has stolen a session
    /// cannot take the factor away.
    private func checked(
        _ password: String?, _ session: Session,
        _ body: @escaping @Sendable (NodeTransaction, SecondFactor?) throws -> Void
    ) async throws {
        let isInForce = try await core.read { try $0.secondFactor(of: session.user) }?.isConfirmed == true
        if isInForce { try core.gate.password(of: session.user) }
        let isGood = try await core.write { transaction in
            let factor = try transaction.secondFactor(of: session.user)
            if let factor, factor.isConfirmed {
                guard let password, try transaction.accept(password, by: factor, of: session.user) else { return false }
            }
            try body(transaction, factor)
            return true
        }
        guard isGood else { throw ProtocolError.wrongOneTimePassword }
        if isInForce { core.gate.rightPassword(of: session.user) }
    }
}

extension ProtocolError {
    static var wrongOneTimePassword: ProtocolError {
        ProtocolError(
            .invalidCredentials, "A valid one-time password is needed.",
            hint: "Send a fresh one, or a recovery code, as one_time_password.",
            details: ["member": "one_time_password"])
    }
}
