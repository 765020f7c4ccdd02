import GodwitProtocol
import Testing

/// Objects between parties (`docs/protocol.md` §7; D-8, D-12, D-14, G-59).
@Suite("Objects between parties")
struct ObjectTests {
    private func read(_ object: JSONObject) -> ProtocolError? {
        refusal { () throws(ProtocolError) in try ProtocolObject(object) }
    }

    @Test("each object is read and written again unchanged", arguments: Sample.all)
    func roundTrips(object: JSONObject) throws {
        #expect(try ProtocolObject(parsing: object.canonicalBytes()).object == object)
    }

    @Test("signed objects keep members that this version does not know, under their hashes too")
    func unknownMembers() throws {
        for object in [Sample.command, Sample.membership(), Sample.epoch()] {
            let newer = object.setting("x_future", 1)
            #expect(try ProtocolObject(newer).object == newer)
        }
        let (old, new) = (
            try Membership(Sample.membership()), try Membership(Sample.membership().setting("x_future", 1))
        )
        #expect(old.joinHash != new.joinHash)
        #expect(try EpochStart(Sample.epoch()).name != EpochStart(Sample.epoch().setting("x_future", 1)).name)
    }

    static let required: [(JSONObject, [String])] = [
        (Sample.introduction, ["user_id", "public_key", "device_list"]),
        (Sample.command, ["command", "user_id", "device", "counter", "data", "signature"]),
        (
            Sample.membership(),
            ["channel", "channel_node", "version", "at", "joined", "device_set", "sponsor", "signature"]
        ),
        (Sample.members(), ["channel", "channel_node", "version", "members"]),
        (
            Sample.epoch(),
            [
                "channel", "channel_node", "predecessor", "membership", "device_set", "commitment", "author", "device",
                "created", "signature", "wraps.ephemeral", "wraps.for",
            ]
        ),
        (Sample.epochKey, ["key_id", "device", "key"]),
        (Sample.lookup, ["user_id", "requesting_node", "requester", "at"]),
        (
            Sample.lookupResult,
            ["user_id", "requester", "as_of", "found", "public_key", "device_list"]
        ),
        (Sample.singleLookupResult, ["signed_pre_key"]), (Sample.preKeyStock, ["to", "at"]),
        (Sample.heldMessages, ["to", "channel", "channel_node", "at"]),
        (Sample.custodyQuestion(), ["from", "items", "at"]), (Sample.custody(), ["to", "at", "copies"]),
        (Sample.heads(), ["to", "channel", "author", "since", "at", "heads"]),
        (Sample.userMoved, ["user_id", "to", "public_key", "at", "signature"]),
        (Sample.refusal, ["item", "to", "at", "error"]),
        (Sample.receipt(), ["state", "items", "to", "from", "at"]),
        (
            Sample.linkStatus,
            [
                "from", "to", "next", "at", "tier", "allowed", "allowed.voice", "allowed.documents", "allowed.images",
                "allowed.media_on_demand", "allowed.presence",
            ]
        ),
    ]

    static let special: [(JSONObject, WrongMember)] = [
        (Sample.introduction, WrongMember("device_list", .object(Sample.deviceList(user: Sample.bob)))),
        (Sample.introduction, WrongMember("public_key", Sample.x25519(1))),
        (Sample.command, WrongMember("counter", -1)), (Sample.command, WrongMember("signature", "ed25519:AAAA")),
        (Sample.membership(), WrongMember("joined", [])), (Sample.membership(), WrongMember("sponsor", "x")),
        (Sample.membership(), WrongMember("device_set", "AAAA")),
        (Sample.membership(), WrongMember("at", "2025-09-06T10:30:00Z")),
        (Sample.following, WrongMember("predecessor", "AAAA")), (Sample.following, WrongMember("predecessor", .null)),
        (Sample.following, WrongMember("models", [0])),
        (Sample.epochKey, WrongMember("key", .string(Base64.encode(Sample.bytes(7, 79))))),
        (Sample.epochKey, WrongMember("key", .string(Base64.encode(Sample.bytes(7, 81))))),
        (Sample.epochKey, WrongMember("key_id", "na342hl5nk7kx4")),
        (Sample.epochKey, WrongMember("key_id", "NA342HL5NK7KX4WS")),
        (Sample.epochKey, WrongMember("device", "a7f3k9m")), (Sample.epochKey, WrongMember("models", [1, 1])),
        (Sample.members(), WrongMember("members", ["a7f3k9m2"])), (Sample.members(), WrongMember("members", [1])),
        (Sample.epoch(), WrongMember("wraps", 1)), (Sample.epoch(), WrongMember("predecessor", "AAAA")),
        (Sample.epoch(), WrongMember("created", "2025-09-06T10:30:00Z")),
        (Sample.epoch(), WrongMember("wraps.ephemeral", Sample.ed25519(1))),
        (Sample.lookup, WrongMember("requester", Sample.party(Sample.bob, 2))),
        (Sample.lookup, WrongMember("requester", "a7f3k9m2")),
        (Sample.lookupResult, WrongMember("device_list", .object(Sample.deviceList()))),
        (Sample.singleLookupResult, WrongMember("one_time_pre_key", 1)),
        (Sample.lookupResult, WrongMember("bundles", 1)), (Sample.lookupResult, WrongMember("bundles", [])),
        (Sample.lookupResult, WrongMember("bundles", [1])),
        (
            Sample.lookupResult,
            WrongMember("bundles", .array((1...2).map { _ in .object(Sample.bundle()) }))
        ),
        (
            Sample.lookupResult,
            WrongMember("bundles", .array((1...17).map { .object(Sample.bundle($0)) }))
        ),
        (Sample.lookupResult, WrongMember("refresh", 1)), (Sample.lookup, WrongMember("refresh", 1)),
        (Sample.preKeyStock, WrongMember("one_time_pre_keys", 201)),
        (Sample.preKeyStock, WrongMember("one_time_pre_keys", -1)),
        (Sample.profileLookup, WrongMember("profile", 1)), (Sample.profileResult, WrongMember("profile", 1)),
        (
            Sample.profileResult,
            WrongMember("profile", ["user_id": .string(Sample.alice), "public_key": Sample.ed25519(9)])
        ),
        (Sample.heldMessages, WrongMember("messages", 1)), (Sample.heldMessages, WrongMember("messages", [1])),
        (Sample.heldMessages, WrongMember("next", 1)), (Sample.heldMessages, WrongMember("waiting", nil)),
        (Sample.heldMessages, WrongMember("waiting", -1)),
        (
            Sample.heldMessages,
            WrongMember("messages", .array((1...33).map { _ in .object(Sample.heldMessage) }))
        ),
        (Sample.custodyQuestion(), WrongMember("items", "")),
        (Sample.custodyQuestion(), WrongMember("items", .string(Base64.encode(Sample.bytes(1, 11))))),
        (Sample.custodyQuestion(65), WrongMember("items", Sample.custodyQuestion(65)["items"])),
        (Sample.custody(), WrongMember("copies", [1])),
        (Sample.custody(513), WrongMember("copies", Sample.custody(513)["copies"])),
        (Sample.heads(), WrongMember("heads", [])), (Sample.heads(), WrongMember("heads", [1])),
        (Sample.heads(65), WrongMember("heads", Sample.heads(65)["heads"])),
        (Sample.heads(), WrongMember("heads", .array((0..<2).flatMap { _ in Sample.heads(1)["heads"]?.array ?? [] }))),
        (Sample.userMoved, WrongMember("to", .string(Sample.alice))),
        (Sample.userMoved, WrongMember("to", "a7f3k9m2.alice-elsewhere")),
        (Sample.userMoved, WrongMember("at", "2026-11-21T10:30:00Z")),
        (Sample.profileResult, WrongMember("profile.moved", 1)),
        (Sample.lookup, WrongMember("at", "2026-11-21T10:30:00Z")),
        (Sample.lookupResult, WrongMember("as_of", "2025-09-06T11:30:00.123+01:00")),
        (Sample.refusal, WrongMember("at", "2025-09-06T10:30:00Z")),
        (Sample.receipt(), WrongMember("at", "2025-09-06 10:30:00.123Z")),
        (Sample.refusal, WrongMember("error", [:])), (Sample.refusal, WrongMember("item", "AAAA")),
        (Sample.receipt(), WrongMember("state", "seen")), (Sample.receipt(), WrongMember("items", "")),
        (Sample.receipt(), WrongMember("items", .string(Base64.encode(Sample.bytes(1, 11))))),
    ]

    static var wrong: [(JSONObject, WrongMember)] {
        var cases = special
        for (object, keys) in required {
            for key in keys { cases += [(object, WrongMember(key, nil)), (object, WrongMember(key, 0))] }
        }
        for object in Sample.all {
            cases += [(object, WrongMember("type", nil)), (object, WrongMember("type", "unknown"))]
        }
        return cases
    }

    @Test("a member that is missing or wrong is named", arguments: wrong)
    func members(object: JSONObject, wrong: WrongMember) {
        #expect(wrong.isNamed(by: read(wrong.applied(to: object))))
    }

    @Test("a signed object does not pass for one of another type")
    func types() {
        let wrong = WrongMember("type", "receipt")
        let membership = wrong.applied(to: Sample.membership())
        let epoch = wrong.applied(to: Sample.epoch())
        let command = wrong.applied(to: Sample.command)
        #expect(wrong.isNamed(by: refusal { () throws(ProtocolError) in try Membership(membership) }))
        #expect(wrong.isNamed(by: refusal { () throws(ProtocolError) in try EpochStart(epoch) }))
        #expect(wrong.isNamed(by: refusal { () throws(ProtocolError) in try SignedCommand(command) }))
    }

    @Test("each wrap is checked")
    func wraps() throws {
        let wrap = Sample.wrap(Sample.alice, 1)
        let wrong: [WrongMember] =
            ["user_id", "device", "pre_key", "wrapped"].flatMap { [WrongMember($0, nil), WrongMember($0, 0)] }
            + [47, 49].map { WrongMember("wrapped", .string(Base64.encode(Sample.bytes(1, $0)))) }
        for wrong in wrong {
            let wraps: JSONValue = ["ephemeral": Sample.x25519(5), "for": [.object(wrong.applied(to: wrap))]]
            #expect(wrong.isNamed(by: read(Sample.epoch().setting("wraps", wraps))), "\(wrong)")
        }
        #expect(read(Sample.epoch().setting("wraps", ["ephemeral": Sample.x25519(5), "for": [1]])) != nil)
    }

    @Test("an epoch is named by what is signed: wraps and signature do not count (D-14)")
    func epochName() throws {
        let epoch = try EpochStart(Sample.epoch(wraps: 3))
        #expect(epoch.name == SHA256Digest.of(Sample.epoch().canonicalBytes(omitting: ["signature", "wraps"])))
        let kept = epoch.keepingWraps { $0.userID.text == "a7f3k9m2.user-1" }
        let stripped = try EpochStart(kept)
        #expect(stripped.wraps.map(\.userID.text) == ["a7f3k9m2.user-1"])
        #expect(stripped.name == epoch.name && stripped.ephemeral == epoch.ephemeral)
        #expect(epoch.keepingWraps { _ in true } == epoch.object)
        let none = try EpochStart(epoch.keepingWraps { _ in false })
        #expect(none.wraps.isEmpty && none.ephemeral.isEmpty && none.name == epoch.name)
        #expect(epoch.sponsor.text == Sample.party(Sample.bob, 2).string)
    }

    @Test("what is built to be signed is read back with the same values")
    func unsigned() throws {
        let membership = try Membership(Sample.membership())
        #expect(
            Membership.unsigned(
                channel: membership.channel, version: 2, at: membership.at, joined: membership.joined,
                deviceSet: membership.deviceSet, sponsor: membership.sponsor)
                == Sample.membership().omitting(["signature"]))
        let epoch = try EpochStart(Sample.epoch())
        #expect(
            EpochStart.unsigned(
                channel: epoch.channel, predecessor: epoch.predecessor, membership: 2, deviceSet: epoch.deviceSet,
                commitment: epoch.commitment, author: epoch.author, device: epoch.device, created: epoch.created)
                == Sample.epoch().omitting(["signature", "wraps"]))
        #expect(
            EpochStart.distribution(ephemeral: epoch.ephemeral, wraps: epoch.wraps).canonicalBytes()
                == Sample.epoch()["wraps"]?.canonicalBytes())
        let command = try SignedCommand(Sample.command)
        #expect(
            SignedCommand.unsigned(
                command.name, command.data, user: command.userID, device: command.device, counter: 1)
                == Sample.command.omitting(["signature"]))
        #expect(try command.channel().text == "#general:a7f3k9m2")
        #expect(
            refusal { () throws(ProtocolError) in try SignedCommand(Sample.command.setting("data", [:])).channel() }
                != nil)
    }

    @Test(
        "an epoch follows from another with joiners only, of whom none is the sponsor, and not where it is fresh (D-14)"
    )
    func following() throws {
        let change = try Membership(Sample.following)
        #expect(change.change.predecessor == Sample.bytes(3) && change.change.models == [1])
        #expect(
            Membership.unsigned(
                channel: change.channel, version: 2, at: change.at, joined: change.joined, deviceSet: change.deviceSet,
                sponsor: change.sponsor, change: change.change) == Sample.following.omitting(["signature"]))
        let wrong: [(String, JSONObject)] = [
            ("predecessor", Sample.following.setting("fresh", true)),
            ("predecessor", Sample.following.setting("left", [Sample.party(Sample.alice, 9)])),
            ("predecessor", Sample.following.setting("fresh", true).omitting(["joined", "models"])),
            ("models", Sample.following.omitting(["predecessor"])),
            ("sponsor", Sample.following.setting("sponsor", .string(change.joined[0].party.text))),
        ]
        for (member, object) in wrong {
            let error = refusal { () throws(ProtocolError) in try Membership(object) }
            #expect(error?.details["member"]?.string == member, "\(member)")
        }
    }

    @Test("the hash of a member list does not depend on the order in which it is built")
    func memberHash() throws {
        guard case .memberList(let list) = try ProtocolObject(Sample.members(50)) else { return #expect(Bool(false)) }
        let shuffled = MemberList(channel: list.channel, version: 2, devices: list.devices.reversed())
        #expect(shuffled == list && shuffled.hash == list.hash)
        let fewer = MemberList(channel: list.channel, version: 2, devices: Array(list.devices.dropLast()))
        #expect(fewer.hash != list.hash)
        let names = list.devices.map(\.text)
        #expect(names == names.sorted())
        #expect(list.hash == SHA256Digest.of(Array(("[\"" + names.joined(separator: "\",\"") + "\"]").utf8)))
    }

    @Test("a lookup that finds nobody says nothing else, and one without one-time pre-key says null")
    func lookupResults() throws {
        guard case .lookupResult(var result) = try ProtocolObject(Sample.lookupResult) else {
            return #expect(Bool(false))
        }
        result.found?.bundles[0].oneTimePreKey = nil
        #expect(result.object["bundles"]?.array?.first?.object?["one_time_pre_key"] == .null)
        #expect(try ProtocolObject(result.object) == .lookupResult(result))
        result.found?.bundles[0].kemPreKey = nil
        #expect(result.object["bundles"]?.array?.first?.object?["kem_pre_key"] == nil)
        result.isRefresh = true
        #expect(try ProtocolObject(result.object) == .lookupResult(result))
        result.isRefresh = false
        result.found = nil
        #expect(Set(result.object.keys) == ["type", "user_id", "requester", "as_of", "found"])
        #expect(try ProtocolObject(result.object) == .lookupResult(result))
    }

    @Test("a lookup brings the keys of up to 16 devices; the form with those of one is still read (AUTH-15)")
    func bundles() throws {
        let sixteen = Sample.lookupResult.setting("bundles", .array((1...16).map { .object(Sample.bundle($0)) }))
        guard case .lookupResult(let all) = try ProtocolObject(sixteen),
            case .lookupResult(let single) = try ProtocolObject(Sample.singleLookupResult)
        else { return #expect(Bool(false)) }
        #expect(all.found?.bundles.count == 16)
        #expect(sixteen.canonicalBytes().count <= ProtocolObject.bytesMax)
        let bundle = try #require(single.found?.bundles.first)
        #expect(single.found?.bundles.count == 1 && bundle.kemPreKey == nil && bundle.oneTimePreKey?.id == 7)
        #expect(bundle.device.text == Sample.device(1).string)
    }

    @Test("a bundle holds keys of its own device only, and a KEM pre-key has 1,184 bytes behind its own prefix (G-101)")
    func bundleKeys() throws {
        #expect(try DeviceBundle(Sample.bundle()).kemPreKey?.key == Sample.bytes(4001, 1184))
        let wrong: [(String, JSONObject)] = [
            ("device", Sample.bundle().setting("signed_pre_key", .object(Sample.preKey(2, user: Sample.bob)))),
            ("device", Sample.bundle().setting("kem_pre_key", .object(Sample.kemPreKey(2, user: Sample.bob)))),
            ("key", Sample.bundle().setting("kem_pre_key", .object(Sample.preKey(user: Sample.bob)))),
            ("key", Sample.bundle().setting("signed_pre_key", .object(Sample.kemPreKey(user: Sample.bob)))),
        ]
        for (member, object) in wrong {
            let error = refusal { () throws(ProtocolError) in try DeviceBundle(object) }
            #expect(WrongMember(member, nil).isNamed(by: error))
        }
    }

    @Test("a device's entry names its KEM in 1 to 32 bytes, or not at all (G-101)")
    func kem() throws {
        #expect(try DeviceEntry(Sample.deviceEntry(1)).kem == nil)
        for name in ["mlkem768", "x", String(repeating: "y", count: 32)] {
            #expect(try DeviceEntry(Sample.deviceEntry(1).setting("kem", .string(name))).kem == name)
        }
        for value: JSONValue in ["", 1, .string(String(repeating: "y", count: 33))] {
            let wrong = WrongMember("kem", value)
            let entry = wrong.applied(to: Sample.deviceEntry(1))
            let error = refusal { () throws(ProtocolError) in try DeviceEntry(entry) }
            #expect(wrong.isNamed(by: error))
        }
    }

    @Test("a receipt cuts hashes to 10 bytes and knows six states (D-12)")
    func receipts() throws {
        #expect(
            Receipt.State.allCases.map(\.rawValue) == [
                "accepted", "forwarded", "delivered", "expired", "refused", "read",
            ])
        let party = try Party(try #require(Sample.party(Sample.alice, 1).string))
        let time = try #require(Timestamp(iso8601: Sample.time))
        let receipt = Receipt(
            state: .expired, items: [Sample.bytes(1), Sample.bytes(2)], to: party, from: party, at: time)
        guard case .receipt(let read) = try ProtocolObject(receipt.object) else { return #expect(Bool(false)) }
        #expect(read.items == [Sample.bytes(1, 10), Sample.bytes(2, 10)])
    }

    @Test("counts are accepted at their limits and refused beyond")
    func limits() {
        #expect(read(Sample.membership(joiners: 256)) == nil)
        #expect(read(Sample.membership(joiners: 257)) != nil)
        #expect(read(Sample.members(2048)) == nil)
        #expect(read(Sample.members(2049)) != nil)
        #expect(read(Sample.epoch(wraps: 2048)) == nil)
        #expect(read(Sample.epoch(wraps: 2049)) != nil)
        #expect(read(Sample.receipt(1024)) == nil)
        #expect(read(Sample.receipt(1025)) != nil)
    }

    @Test("an object of 131,072 bytes is read, one byte more is 2001")
    func size() throws {
        let object = Sample.command.padded(to: 131_072)
        #expect(try ProtocolObject(parsing: object.canonicalBytes()).object == object)
        let error = refusal { () throws(ProtocolError) in
            try ProtocolObject(parsing: Sample.command.padded(to: 131_073).canonicalBytes())
        }
        #expect(error?.code == .messageTooLarge)
    }

    @Test(
        "a head counts from 1, stands at a position from 0 and has a whole hash",
        arguments: [("count", JSONValue.integer(0)), ("seq", -1), ("hash", "AAAA"), ("device", nil)]
            as [(String, JSONValue?)])
    func head(_ member: String, _ value: JSONValue?) throws {
        var entry = try #require(Sample.heads(1)["heads"]?.array?.first?.object)
        _ = try ProtocolObject(Sample.heads().setting("heads", [.object(entry)]))
        entry[member] = value
        let error = #expect(throws: ProtocolError.self) {
            try ProtocolObject(Sample.heads().setting("heads", [.object(entry)]))
        }
        #expect(error?.details["member"]?.string == member)
    }

    @Test("what was told before is taken in: the newest of each device, all that have expired, the earliest time")
    func mergedHeads() throws {
        func heads(_ sequences: [Int64], since: Int64) throws -> ConversationHeads {
            guard case .conversationHeads(var heads) = try ProtocolObject(Sample.heads(sequences.count)) else {
                throw ProtocolError.malformed("no heads")
            }
            for (index, sequence) in sequences.enumerated() { heads.heads[index].sequence = sequence }
            heads.since = Timestamp(milliseconds: since)
            return heads
        }
        let merged = try heads([4, 9], since: 2_000).adding(heads([6, 3, 1], since: 1_000))
        #expect(merged.heads.map(\.sequence) == [6, 9, 1])
        #expect(merged.heads.map(\.count) == [6, 6, 3])
        #expect(merged.since == Timestamp(milliseconds: 1_000))
        #expect(try heads([1], since: 0).adding(heads(Array(repeating: 1, count: 64), since: 0)).heads.count == 64)
    }
}
