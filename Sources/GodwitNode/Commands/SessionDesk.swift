import GodwitProtocol
import GodwitSpool

/// Commands about one's own sessions, devices and what waits for them (docs/protocol.md §9.3).
struct SessionDesk: Sendable {
    let core: NodeCore
    let presence: PresenceBoard

    /// Nil for a command that is not one of these.
    func carryOut(_ name: String, _ data: ObjectReader, _ session: Session) async throws -> JSONObject? {
        switch name {
        case "list_sessions": return try await listSessions(session)
        case "end_session": return try await endSession(data, session)
        case "end_sessions": return try await endSessions(session)
        case "list_devices": return try await listDevices(session)
        case "update_devices": return try await updateDevices(data, session)
        case "get_devices": return try await getDevices(data)
        case "get_keys": return try await getKeys(data, claim: false)
        case "claim_keys": return try await getKeys(data, claim: true)
        case "waiting": return try await waiting(data, session)
        case "received": return try await received(data, session)
        default: return nil
        }
    }

    // MARK: Sessions

    private func listSessions(_ session: Session) async throws -> JSONObject {
        let records = try await core.read { try $0.sessions(of: session.user) }
        return [
            "sessions": .array(
                records.map { record in
                    [
                        "session": .string(record.name), "device": record.device.map { .string($0.text) } ?? .null,
                        "opened": .string(record.opened.description), "issued": .string(record.issued.description),
                        "expires": .string(record.expires.description), "current": .bool(record.name == session.name),
                    ]
                })
        ]
    }

    /// One that has ended already is no error: it is what was asked for.
    private func endSession(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let name = try data.optionalString("session") ?? session.name
        let ended = try await core.write { try $0.endSessions(of: session.user, named: name) }
        await presence.end(session.user, sessions: ended)
        return [:]
    }

    private func endSessions(_ session: Session) async throws -> JSONObject {
        let ended = try await core.write { transaction in
            try transaction.audit(.loggedOutEverywhere, session.user)
            return try transaction.endSessions(of: session.user)
        }
        await presence.end(session.user, sessions: ended)
        return ["ended": .integer(Int64(ended.count))]
    }

    // MARK: Devices

    private static let noList = ProtocolError(
        .userNotFound, "The user has no device list here.", hint: "It comes with the first publish_keys.")

    private func listDevices(_ session: Session) async throws -> JSONObject {
        try await core.read { transaction in
            guard let list = try transaction.user(session.user)?.deviceList else { throw Self.noList }
            let sessions = try transaction.sessions(of: session.user)
            let devices = try list.devices.map { entry -> JSONValue in
                let count = try transaction.oneTimeKeys(of: session.user, entry.device)
                return [
                    "device": .string(entry.device.text), "one_time_pre_keys": .integer(Int64(count)),
                    "sessions": .integer(Int64(sessions.count { $0.device == entry.device })),
                ]
            }
            return ["device_list": .object(list.object), "devices": .array(devices)]
        }
    }

    private func updateDevices(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let list = try DeviceList(data.value("device_list"))
        guard list.userID == session.user else {
            throw ProtocolError(.insufficientPermissions, "The device list is another user's.")
        }
        return try await core.write { transaction in
            guard let user = try transaction.user(session.user) else { throw Self.noList }
            guard list.version > user.listVersion || list == user.deviceList else {
                throw ProtocolError.malformed(
                    "A device list of this version or a later one is here already.", member: "version",
                    hint: "Fetch the list, change it, and give it the next version.")
            }
            let source = session.device.map { Party.device(session.user, $0) }
            try transaction.introduce(session.user, publicKey: user.publicKey, list: list, from: source)
            return ["version": .integer(list.version)]
        }
    }

    private func getDevices(_ data: ObjectReader) async throws -> JSONObject {
        let id = try data.userID("user_id")
        return try await core.read { try Self.devices(of: id, $0) }
    }

    private static func devices(of id: UserID, _ transaction: NodeTransaction) throws -> JSONObject {
        guard let user = try transaction.user(id), let list = user.deviceList else {
            throw ProtocolError(
                .userNotFound, "The user is not known on this node.",
                hint: "Look a user of another node up with lookup_user.")
        }
        return [
            "user_id": .string(id.text), "public_key": .string(PublicKeyText.text(ed25519: user.publicKey)),
            "device_list": .object(list.object),
        ]
    }

    /// What sessions with a user's devices begin with. Without a claim nothing is used up and the answer stays the same
    /// until the user changes something, so that it can be kept and asked for again by its ETag.
    private func getKeys(_ data: ObjectReader, claim: Bool) async throws -> JSONObject {
        let id = try data.userID("user_id")
        let body: @Sendable (NodeTransaction) throws -> JSONObject = { transaction in
            try Self.devices(of: id, transaction)
                .setting("bundles", .array(transaction.bundles(of: id, claim: claim).map { .object($0.object) }))
        }
        return try await claim ? core.write(body) : core.read(body)
    }

    // MARK: What waits

    /// Items of one answer, and bytes of them; one item may be larger.
    private static let itemsMax = 128
    private static let bytesMax = 262_144

    private func waiting(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let party = try CommandDesk(core: core, presence: presence).device(session)
        let after = try data.optionalInteger("after", in: 0...JSONValue.integerMax) ?? 0
        let limit = Int(try data.optionalInteger("limit", in: 1...Int64(Self.itemsMax)) ?? Int64(Self.itemsMax))
        let (items, hasMore) = try await core.spool.read { transaction in
            let items = try transaction.waitingInOrder(
                for: party, after: after, count: limit, bytes: ByteCount(Self.bytesMax)
            ).items
            let last = items.last?.row ?? after
            return (items, try transaction.hasWaiting(for: party, after: last))
        }
        let shown = items.compactMap { item -> JSONValue? in
            // One that cannot be shown holds up nothing; it stays in the spool until it expires.
            guard let object = try? JSONObject.parse(item.body, limits: JSONLimits(bytes: ProtocolObject.bytesMax))
            else { return nil }
            return [item.kind == .message ? "message" : "object": .object(object), "arrival": .integer(item.row)]
        }
        return ["items": .array(shown), "has_more": .bool(hasMore)]
    }

    private func received(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let party = try CommandDesk(core: core, presence: presence).device(session)
        let upTo = try data.integer("upto", in: 0...JSONValue.integerMax)
        try await core.spool.write { transaction in
            // What a frame holds was not shown here: the exchange that carries it acknowledges it.
            try transaction.release(transaction.waitingRows(for: party, upTo: upTo))
        }
        return [:]
    }
}
