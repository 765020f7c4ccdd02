import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool

/// Carries out what a session asks for, over whatever way it came: a socket, a request, a tool.
///
/// Each command is one transaction; its answer is what `ack` holds (docs/protocol.md §9.3).
struct CommandDesk: Sendable {
    let core: NodeCore
    let presence: PresenceBoard

    /// - Returns: the members of the answer.
    /// - Throws: `ProtocolError`; nothing is changed then.
    func carryOut(_ name: String, _ object: JSONObject, in session: Session) async throws -> JSONObject {
        let data = ObjectReader(object, what: "command")
        try core.gate.command(name, by: session.user)
        if let answer = try await SessionDesk(core: core, presence: presence).carryOut(name, data, session) {
            return answer
        }
        if let answer = try await SecondFactorDesk(core: core).carryOut(name, data, session) { return answer }
        switch name {
        case "publish_keys": return try await publishKeys(data, session)
        case "send_message": return try await sendMessage(data, session)
        case "create_channel", "join_channel": return try await channelCommand(name, data, session)
        case _ where NodeTransaction.channelCommands.contains(name):
            return try await channelCommand(name, data, session)
        case _ where Self.channelQuestions.contains(name):
            return try await answerAboutChannels(name, data, in: session)
        case "lookup_user": return try await submit(lookup(data, session), session)
        case "submit":
            let object = try ProtocolObject(data.value("object"))
            // It takes a one-time pre-key, whatever it is called.
            if case .lookup = object { try core.gate.claim(by: session.user) }
            return try await submit(object, session)
        case "update_status": return try await updateStatus(data, session)
        case "get_user": return try await getUser(data, session)
        case "update_identity": return try await updateIdentity(data, session)
        case "move_user": return try await moveUser(data, session)
        case "export_data": return try await exportData(data, session)
        case "erase_account": return try await channelCommand(name, data, session)
        case "typing": return try await typing(data, session)
        case "mark_read": return try await markRead(data, session)
        case "history": return try await history(data, session)
        case "delete_messages": return try await submit(.deletion(Deletion(data.value("deletion"))), session)
        default:
            throw ProtocolError.malformed(
                "The command is unknown.", member: "command", hint: "See the protocol document, section 9.")
        }
    }

    func device(_ session: Session) throws -> Party {
        guard let device = session.device else {
            throw ProtocolError(
                .insufficientPermissions, "The session is for no device.", hint: "Log in with the member device.")
        }
        return .device(session.user, device)
    }

    private func publishKeys(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let party = try device(session)
        let list = try DeviceList(data.value("device_list"))
        let preKey = try SignedPreKey(data.value("signed_pre_key"))
        let (kem, oneTime) = (try NodeTransaction.kemPreKey(data), try NodeTransaction.oneTimeKeys(data))
        guard list.userID == session.user, case .device(_, let device) = party else {
            throw ProtocolError(.insufficientPermissions, "The device list is another user's.")
        }
        let taken = try await core.write { transaction in
            guard let user = try transaction.user(session.user) else {
                throw ProtocolError(.userNotFound, "The user is not registered.")
            }
            try transaction.checkSuccession(of: list, by: device)
            try transaction.introduce(session.user, publicKey: user.publicKey, list: list, from: party)
            return try transaction.publish(preKey, kem: kem, oneTime: oneTime, of: session.user, device)
        }
        guard taken > 0 || oneTime.isEmpty else { throw ProtocolError.oneTimeKeysFull(taken: 0) }
        return ["one_time_pre_keys": .integer(Int64(taken))]
    }

    private func sendMessage(_ data: ObjectReader, _ session: Session) async throws -> JSONObject {
        let (result, aftermath) = try await withCheckedThrowingContinuation { continuation in
            submitMessage(data, session) { continuation.resume(with: $0) }
        }
        await core.aftermath.carryOut(aftermath)
        return result
    }

    /// Lines up a message without waiting for its commit; messages are accepted in the order of the calls.
    ///
    /// - Parameter completion: gets the members of the answer, and what has to be carried out before it is given.
    func submitMessage(
        _ data: ObjectReader, _ session: Session,
        completion: @escaping @Sendable (Result<(JSONObject, Aftermath), any Error>) -> Void
    ) {
        do {
            let (party, message) = (try device(session), try Self.message(data))
            core.submit({ try Self.accept(message, from: party, in: $0) }, completion: completion)
        } catch {
            // In its turn, like all others.
            core.submit({ _ in throw error }, completion: completion)
        }
    }

    private static func message(_ data: ObjectReader) throws -> Message {
        guard data.object["message"] != nil else {
            throw ProtocolError(
                .invalidMessageFormat, "send_message takes a sealed message.",
                hint: "Encrypt and sign on the device and send it as data.message; this node never sees clear text.",
                details: ["member": "message"])
        }
        return try Message(data.value("message"))
    }

    private static func accept(
        _ message: Message, from party: Party, in transaction: NodeTransaction
    ) throws -> JSONObject {
        do {
            let isNew = try transaction.accept(message, from: party, arrival: .live)
            return [
                "message_id": .string(message.id.text), "timestamp": .string(message.timestamp.description),
                "repeated": .bool(!isNew),
            ]
        } catch is AuthorUnknown {
            throw ProtocolError(.userNotFound, "The device is not listed here.", hint: "Send publish_keys first.")
        }
    }

    private func channelCommand(
        _ name: String, _ data: ObjectReader, _ session: Session
    ) async throws -> JSONObject {
        let object = try data.value("command")
        guard case .command(let command) = try ProtocolObject(object), command.name == name else {
            throw ProtocolError.malformed("data.command is the signed \(name) object.", member: "command")
        }
        return try await submit(.command(command), session)
    }

    private func lookup(_ data: ObjectReader, _ session: Session) throws -> ProtocolObject {
        .lookup(
            UserLookup(
                userID: try data.userID("user_id"), requestingNode: core.context.id,
                requester: try device(session), at: core.time.now()))
    }

    func submit(_ object: ProtocolObject, _ session: Session) async throws -> JSONObject {
        let party = try device(session)
        let created = try await core.write { transaction in
            do {
                try transaction.dispatch(object, from: party)
            } catch let unknown as MembershipUnknown {
                let item = BatchItem(
                    kind: .object, body: object.object.canonicalBytes(), created: transaction.now, priority: .control)
                try transaction.postpone(item, from: party, until: unknown)
            } catch is ChangeUnknown {
                throw ProtocolError(.channelNotFound, "The key belongs to no change of a channel that is known here.")
            } catch is AuthorUnknown {
                throw ProtocolError(
                    .userNotFound, "The device is not listed here.", hint: "Send publish_keys first.")
            }
            return transaction.created
        }
        guard let created else { return [:] }
        return ["channel": .string(created.name.text), "channel_node": .string(created.node.text)]
    }
}
