import FoundationEssentials
import GodwitClient
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Moves the user of a home to another home node (gap G-34). Each step can be repeated, so a run that was cut off is
/// finished by the next one.
struct UserMoving {
    let home: MovingHome
    let files: ClientFiles
    /// The file of the id so far.
    let identity: IdentityFile
    let key: SigningKey
    /// The node that is moved to.
    let node: NodeDescriptor
    /// How the user is called there.
    let user: UserID

    /// What became of channels.
    struct Channels: Sendable {
        /// Entered under the new id by an invite of the old one, as far as their nodes let it.
        var invited: [ChannelID] = []
        /// Somebody else has to invite.
        var uninvited: [ChannelID] = []
    }

    /// Home, node and name that are wanted.
    ///
    /// - Throws: `ProtocolError` 2000 where the user is at that node already, or another move has begun.
    func check() throws {
        guard node.id != identity.userID.node else {
            throw ProtocolError.malformed(
                "This is the user's home node already.", member: "node", hint: "Give the descriptor of another node.")
        }
        guard !Wiring.exists(home.former(user).directory) else {
            throw ProtocolError.malformed(
                "The user was called so before.", member: "username", hint: "Take another name: --username.")
        }
        guard home.next.exists, try home.next.identity().userID != user else { return }
        throw ProtocolError.malformed(
            "A move to \(try home.next.identity().userID) has begun.",
            hint: "Finish it with the same command, or delete \(home.preparation).")
    }

    /// Makes the new id and its device, and registers them, or joins those that another device has registered.
    /// - Throws: what registering throws; nothing is changed for the old id then.
    func prepare(passphrase: String, kdf: PassphraseKDF, endpoint: String?, invite: String?) async throws {
        let next = home.next
        let own = try await files.withDevice { try await $0.ownMove() }
        if !next.exists {
            let url = try next.url(of: node, endpoint: endpoint)
            let file = try IdentityBuilder.moving(
                identity, to: user, endpoint: ClientFiles.socketURL(url), nodeName: node.name, passphrase: passphrase,
                kdf: kdf, now: Wiring.now)
            guard own?.to != user else {
                // Another device was here first.
                _ = try await next.addDevice(
                    to: file, key: key, node: node, endpoint: url, asksForHistory: false,
                    makeKey: { try next.makeStoreKey(as: files) })
                return
            }
            try next.prepare(for: node, endpoint: url)
            let device = try await Device.create(
                directory: next.devicePath, key: next.makeStoreKey(as: files), identity: file, identityKey: key,
                node: node, time: SystemTime())
            try await device.close()
            try DurableFile.write(file.object.canonicalBytes(), to: next.identityPath)
        }
        guard own?.to != user else { return }
        try await Registration.run(next, identityKey: key, invite: invite)
    }

    /// Signs the record, takes over what is known of others, enters channels, and puts the new id in the place of the old.
    /// - Parameter announces: whether the new id writes to all with whom the old one has talked.
    func finish(announces: Bool) async throws -> Channels {
        let (next, user, key) = (home.next, user, key)
        let channels = try await files.withDevice { old in
            try await next.withDevice { new in
                try await new.takeOver(contactsOf: old)
                if try await old.ownMove()?.to != user { try await old.move(to: user, signedBy: key) }
                if announces, let move = try await old.ownMove() { try await Self.announce(move, old, new) }
                return try await Self.enterChannels(of: old, new)
            }
        }
        try home.exchange(from: identity.userID)
        return channels
    }

    private static func announce(_ move: UserMove, _ old: Device, _ new: Device) async throws {
        for summary in try await old.conversations() {
            guard case .direct(let one, let other) = summary.conversation else { continue }
            let reader = one == old.userID ? other : one
            guard reader != old.userID, try await old.contact(reader)?.isBlocked != true else { continue }
            try await new.announce(move, to: reader)
        }
    }

    private static func enterChannels(of old: Device, _ new: Device) async throws -> Channels {
        var channels = Channels()
        for channel in try await old.channels() where channel.state == .member {
            do {
                let invite = try await old.makeInvite(to: channel.id, lifetime: 30 * 86_400_000, uses: 1)
                try await new.joinChannel(with: invite)
                channels.invited.append(channel.id)
            } catch let error as ProtocolError where error.code == .insufficientPermissions {
                channels.uninvited.append(channel.id)
            }
        }
        return channels
    }
}

/// What an id from before the move goes on doing while its node delivers to it.
struct FormerID: Sendable {
    let user: UserID
    /// How many items came, or why the node was not called.
    let outcome: Result<Int, any Error>

    var object: JSONObject {
        let object: JSONObject = ["user_id": .string(user.text)]
        switch outcome {
        case .success(let items): return object.setting("received", .integer(Int64(items)))
        case .failure(let error): return object.setting("error", .string(Self.message(error)))
        }
    }

    var line: String {
        switch outcome {
        case .success(let items): "\(user), from before the move: received \(items) items."
        case .failure(let error): "\(user), from before the move: \(Self.message(error))"
        }
    }

    private static func message(_ error: any Error) -> String {
        (error as? ProtocolError)?.message ?? "The old home node could not be called."
    }

    /// Calls the nodes of all ids from before. One that cannot be reached keeps nothing else from going on.
    static func syncAll(_ home: MovingHome, current device: Device) async -> [FormerID] {
        var formers: [FormerID] = []
        for files in home.formers {
            guard let user = try? files.identity().userID else { continue }
            do {
                let channels = try await device.channels().filter { $0.state == .member }.map(\.id)
                let items = try await sync(files, current: Set(channels), as: device.userID)
                formers.append(FormerID(user: user, outcome: .success(items)))
            } catch {
                formers.append(FormerID(user: user, outcome: .failure(error)))
            }
        }
        return formers
    }

    /// Fetches what was written to it, and leaves channels that the new id has entered.
    /// - Returns: how many items came.
    private static func sync(_ files: ClientFiles, current: Set<ChannelID>, as user: UserID) async throws -> Int {
        try await files.withDevice { device in
            var items = try await device.sync(over: files.carrier()).receivedItems
            var hasLeft = false
            for channel in try await device.channels() where channel.state == .member && current.contains(channel.id) {
                let role = try await device.channelDetails(channel.id).members.first { $0.user == device.userID }?.role
                // An owner does not leave: the new id owns the channel first.
                if role == .owner {
                    try await device.transferChannel(channel.id, to: user)
                } else {
                    try await device.leaveChannel(channel.id)
                }
                hasLeft = true
            }
            if hasLeft { items += try await device.sync(over: files.carrier()).receivedItems }
            return items
        }
    }
}
