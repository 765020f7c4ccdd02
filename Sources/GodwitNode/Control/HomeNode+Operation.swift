import GodwitContact
import GodwitProtocol

/// Orders about who comes in: invites, maintenance, the audit log.
extension HomeNode {
    func operate(_ request: ObjectReader) async throws -> JSONValue {
        switch try request.string("request") {
        case "invite": return .object(try await makeInvite(request))
        case "invites": return .array(try await core.read { try $0.inviteRows() })
        case "withdraw_invite": return .bool(try await withdrawInvite(request))
        case "maintenance": return .object(try await maintain(request))
        case "audit": return .array(try await audit(request))
        case "reset_second_factor": return .bool(try await resetSecondFactor(request))
        case "backup": return .object(try await backUp(request))
        default: throw ProtocolError.malformed("The request is unknown.", member: "request")
        }
    }

    /// {`uses`?, `hours`?}
    private func makeInvite(_ request: ObjectReader) async throws -> JSONObject {
        let uses = try request.optionalInteger("uses", in: 1...1_000_000) ?? 1
        let hours = try request.optionalInteger("hours", in: 1...87_600) ?? 168
        let invite = try await core.write { try $0.makeInvite(uses: uses, lifetime: hours * 3_600_000) }
        return ["invite": .string(invite.text), "name": .string(invite.name), "uses": .integer(uses)]
    }

    private func withdrawInvite(_ request: ObjectReader) async throws -> Bool {
        let name = try request.string("name")
        return try await core.write { try $0.withdrawInvite(name) }
    }

    /// {`on`?}: without it only says how it is.
    private func maintain(_ request: ObjectReader) async throws -> JSONObject {
        if let isOn = request.object["on"]?.bool, isOn != core.gate.isMaintained {
            if isOn {
                try NodeFiles.write([], to: home.maintenancePath)
            } else {
                try NodeFiles.remove(home.maintenancePath)
            }
            core.gate.isMaintained = isOn
            try await core.write { try $0.audit(.maintenance, subject: nil, isOn ? "on" : "off") }
            if isOn { await presence.pause(Gatekeeper.maintained) }
        }
        return ["maintenance": .bool(core.gate.isMaintained)]
    }

    /// {`user`?, `limit`?}: newest first.
    private func audit(_ request: ObjectReader) async throws -> [JSONValue] {
        try await authenticator.noteRefusals()
        let subject = try request.optionalString("user")
        let limit = Int(try request.optionalInteger("limit", in: 1...10_000) ?? 100)
        return try await core.read { try $0.auditRows(subject: subject, limit: limit) }
    }

    /// {`to`: directory, `passphrase`?}
    private func backUp(_ request: ObjectReader) async throws -> JSONObject {
        let report = try await NodeBackup(directory: request.string("to")).write(
            of: home, spool: core.spool, passphrase: request.optionalString("passphrase"), at: core.time.now())
        try await core.write { try $0.audit(.backup, subject: nil) }
        return report
    }

    /// {`user`}: for one who has lost token and recovery codes, and whom the operator knows.
    private func resetSecondFactor(_ request: ObjectReader) async throws -> Bool {
        let user = try request.userID("user")
        return try await core.write { transaction in
            guard try transaction.removeSecondFactor(of: user) else { return false }
            try transaction.audit(.secondFactorRemoved, user, "operator")
            return true
        }
    }
}
