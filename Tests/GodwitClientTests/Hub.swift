import GodwitBatch
import GodwitCompression
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

/// A home node driven by hand: it knows its devices, numbers memberships, and keeps a queue for each device that a test
/// may reorder, repeat or alter before it is delivered.
actor Hub {
    struct Channel {
        var version: Int64 = 0
        var members: [Party] = []
        var attempts: [Party: Int] = [:]
    }

    nonisolated let key: SigningKey
    nonisolated let descriptor: NodeDescriptor
    nonisolated let noise: AgreementKey
    nonisolated let time: ManualTime
    var publications: [Party: Publication] = [:]
    var userKeys: [UserID: [UInt8]] = [:]
    var queues: [Party: [BatchItem]] = [:]
    var channels: [ChannelID: Channel] = [:]
    /// Commands that came, in order.
    var commands: [SignedCommand] = []
    /// What members have joined with.
    var joiners: [Party: Joiner] = [:]
    var introduced: [Party: Set<UserID>] = [:]
    /// Every item that passed, in order.
    var log: [BatchItem] = []
    /// Requests for missing messages are answered here.
    var keepsJournal = false
    /// The epoch that the next one has to follow.
    var heads: [ChannelID: [UInt8]] = [:]
    /// Members that are never named sponsor first.
    var lazySponsors: Set<Party> = []

    init(time: ManualTime = ManualTime()) throws {
        key = try SigningKey.generate()
        noise = try AgreementKey.generate()
        self.time = time
        let unsigned = NodeDescriptor.unsigned(
            id: try NodeIDDerivation.derive(from: key.publicKey), publicKey: key.publicKey.bytes,
            noiseKey: noise.publicKey.bytes, endpoints: [], pins: [], name: "test", sequence: 1,
            expires: time.now().adding(milliseconds: 1_000_000))
        descriptor = try NodeDescriptor(key.signed(unsigned, purpose: .descriptor))
    }

    nonisolated var id: NodeID { descriptor.id }

    nonisolated func channelID(_ name: String) throws -> ChannelID { ChannelID(name: try ChannelName(name), node: id) }

    /// A new user with one device, known to the hub.
    ///
    /// - Parameters:
    ///   - key: the user's identity key, where a test signs with it later.
    ///   - models: the phrase models that the device holds.
    func enrol(
        _ name: String, in scratch: Scratch, key: SigningKey? = nil,
        models: PhraseModelLibrary = PhraseModelLibrary(), preferences: JSONObject = [:],
        link: Profile = .preset(.satellite)
    ) async throws -> Device {
        let identityKey = try key ?? .generate()
        let file = try IdentityFile(
            Self.identity(name, on: id, key: identityKey).object.setting("preferences", .object(preferences)))
        let device = try await Device.create(
            directory: scratch.path, identity: file, identityKey: identityKey, node: descriptor, time: time,
            link: link, models: models)
        publications[device.party] = try await device.publication()
        userKeys[device.userID] = file.publicKey
        return device
    }

    static func identity(_ name: String, on node: NodeID, key: SigningKey) throws -> IdentityFile {
        let identity: JSONObject = [
            "full_id": .string(node.text + "." + name), "username": .string(name), "home_node_id": .string(node.text),
            "public_key": .string(key.publicKey.text), "created": "2026-03-14T00:00:00.000Z",
        ]
        return try IdentityFile([
            "version": "1.0", "identity": .object(identity), "home_node": ["endpoint": "ws://127.0.0.1:1"],
            "encrypted_data": "AAAA", "signature": .string(key.sign(object: identity, purpose: .identity).text),
        ])
    }

    // MARK: Queues

    func push(_ object: JSONObject, to party: Party, kind: BatchItem.Kind = .object) {
        push(
            BatchItem(kind: kind, body: object.canonicalBytes(), created: time.now(), priority: .control), to: party)
    }

    func push(_ item: BatchItem, to party: Party) { queues[party, default: []].append(item) }

    /// Empties the queue of a device.
    func drain(_ party: Party) -> [BatchItem] { queues.removeValue(forKey: party) ?? [] }

    func forget(_ party: Party) { publications[party] = nil }

    func makeLazy(_ party: Party) { lazySponsors.insert(party) }

    func introduce(_ users: [UserID], to party: Party) {
        for user in users where introduced[party, default: []].insert(user).inserted {
            guard case .device(let own, _) = party, own != user, let key = userKeys[user],
                let publication = publications.first(where: { $0.value.deviceList.userID == user })?.value
            else { continue }
            push(Introduction(userID: user, publicKey: key, deviceList: publication.deviceList).object, to: party)
        }
    }

    // MARK: What devices send

    /// Takes what a device has queued and acts on it.
    func collect(from device: Device) async throws {
        for item in try await device.handOver() { try take(item, from: device.party) }
    }

    func take(_ item: BatchItem, from source: Party) throws {
        log.append(item)
        guard item.kind != .message else {
            try fanOut(try Message(parsing: item.body), item, from: source)
            return
        }
        switch try ProtocolObject(parsing: item.body) {
        case .command(let command): try carryOut(command)
        case .epoch(let start):
            let epoch = try marked(start).map { try EpochStart($0) } ?? start
            for member in channels[epoch.channel]?.members ?? [] {
                introduce([epoch.author], to: member)
                push(epoch.keepingWraps { Party.device($0.userID, $0.device) == member }, to: member)
            }
        case .epochKey(let key):
            for case .device(let user, let device) in publications.keys where device == key.device {
                introduce([source.user].compactMap { $0 }, to: .device(user, device))
                push(key.object, to: .device(user, device))
            }
        case .lookup(let lookup): try answer(lookup)
        case .receipt(let receipt): push(receipt.object, to: receipt.to, kind: .receipt)
        case .deletion(let deletion):
            for party in publications.keys where party != source {
                guard case .device(let user, _) = party else { continue }
                switch deletion.conversation {
                case .channel(let id): guard channels[id]?.members.contains(party) ?? false else { continue }
                case .direct(let one, let other): guard user == one || user == other else { continue }
                }
                introduce([deletion.userID], to: party)
                push(deletion.object, to: party)
            }
        case .readMarker(let marker):
            for party in publications.keys where party.user == marker.userID && party != source {
                push(marker.object, to: party)
            }
        case let other: try takeResealing(other, from: source)
        }
    }

    private func fanOut(_ message: Message, _ item: BatchItem, from source: Party) throws {
        let targets: [Party] =
            switch message.conversation {
            case .channel(let id): (channels[id]?.members ?? []).filter { $0 != source }
            case .direct: directTargets(of: message, from: source)
            }
        for target in targets {
            introduce([message.author], to: target)
            var item = item
            item.body = message.forParty(target).canonicalBytes
            push(item, to: target)
        }
    }

    private func answer(_ lookup: UserLookup) throws {
        var result = UserLookupResult(
            userID: lookup.userID, requester: lookup.requester, asOf: time.now(), isRefresh: lookup.isRefresh,
            found: nil)
        if let key = userKeys[lookup.userID],
            let list = publications.values.map(\.deviceList).filter({ $0.userID == lookup.userID })
                .max(by: { $0.version < $1.version })
        {
            let bundles = list.devices.compactMap { bundle(of: $0.party, refresh: lookup.isRefresh) }
            result.found = UserLookupResult.Found(publicKey: key, deviceList: list, bundles: bundles)
        }
        push(result.object, to: lookup.requester)
    }

    /// What a lookup brings of a device.
    func bundle(of party: Party, refresh: Bool = false) -> DeviceBundle? {
        guard let publication = publications[party], case .device(_, let device) = party else { return nil }
        var bundle = DeviceBundle(device: device, signedPreKey: publication.signedPreKey)
        guard !refresh else { return bundle }
        bundle.kemPreKey = publication.kemPreKey
        bundle.oneTimePreKey = publication.oneTimePreKeys.first
        publications[party]?.oneTimePreKeys = Array(publication.oneTimePreKeys.dropFirst())
        return bundle
    }

    private func carryOut(_ command: SignedCommand) throws {
        commands.append(command)
        let party = Party.device(command.userID, command.device)
        guard command.name == "create_channel" || command.name == "join_channel" else { return }
        let preKey = try SignedPreKey(ObjectReader(command.data, what: "command").value("pre_key"))
        let id = try command.channel()
        guard command.name == "create_channel" || channels[id] != nil else {
            let error = ProtocolError(.channelNotFound, "There is no such channel.", hint: "Look again.")
            push(
                Refusal(item: SHA256Digest.of(command.object.canonicalBytes()), to: party, error: error, at: time.now())
                    .object, to: party)
            return
        }
        try join(id, Joiner(preKey: preKey))
    }

    /// One change of membership, as a node makes it.
    func join(_ id: ChannelID, _ joiner: Joiner) throws {
        var channel = channels[id] ?? Channel()
        let others = channel.members.filter { $0 != joiner.party }
        if channel.members.contains(joiner.party) {
            channel.attempts[joiner.party, default: 0] += 1
        } else {
            channel.members.append(joiner.party)
        }
        joiners[joiner.party] = joiner
        channel.version += 1
        let ordered = others.filter { lazySponsors.contains($0) } + others.filter { !lazySponsors.contains($0) }
        let sponsor =
            ordered.isEmpty ? joiner.party : ordered[channel.attempts[joiner.party, default: 0] % ordered.count]
        channels[id] = channel
        let list = MemberList(channel: id, version: channel.version, devices: channel.members)
        let change = change(letting: joiner, into: id, besides: others)
        let unsigned = Membership.unsigned(
            channel: id, version: channel.version, at: time.now(), joined: [joiner], deviceSet: list.hash,
            sponsor: sponsor, change: change)
        let membership = key.signed(unsigned, purpose: .order)
        if change.predecessor != nil { heads[id] = try Membership(membership).joinHash }
        let users = channel.members.compactMap { if case .device(let user, _) = $0 { user } else { nil } }
        for member in channel.members {
            if member == joiner.party {
                introduce(users, to: member)
                push(list.object, to: member)
            } else {
                introduce([joiner.userID], to: member)
            }
            if change.isFresh, member == sponsor {
                introduce(users, to: member)
                let keys = others.filter { $0 != sponsor }.compactMap { joiners[$0] }
                push(MemberKeys(channel: id, version: channel.version, to: sponsor, keys: keys).object, to: sponsor)
            }
            push(membership, to: member)
        }
    }

    /// The epoch of a join follows from the newest one; before one has come it is fresh.
    private func change(letting joiner: Joiner, into id: ChannelID, besides others: [Party]) -> ChannelChange {
        var change = ChannelChange()
        guard !others.isEmpty else { return change }
        guard let head = heads[id] else {
            change.isFresh = true
            return change
        }
        change.predecessor = head
        change.models = publications[joiner.party]?.deviceList.devices.first { $0.party == joiner.party }?.models ?? []
        return change
    }

    /// What the epoch of the next join follows from; nil: none has come.
    func setHead(_ head: [UInt8]?, of id: ChannelID) { heads[id] = head }

    // MARK: Whole rounds

    /// Carries everything between the devices, in order, until nobody has anything more to say.
    func settle(_ devices: [Device]) async throws {
        for _ in 0..<20 {
            var moved = false
            for device in devices {
                let before = log.count
                try await collect(from: device)
                let items = drain(device.party)
                if !items.isEmpty { try await device.deliver(items) }
                moved = moved || log.count > before || !items.isEmpty
            }
            if !moved { return }
        }
        Issue.record("the devices never come to rest")
    }
}
