import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Contacts who move to another home node (G-34): who follows, and whom nobody follows.
@Suite("Contacts who move")
struct UserMoveTests {
    /// Amina, and Layla with her key. This hub plays the old and the new node.
    fileprivate struct Scene {
        let hub: Hub
        let new: Hub
        let key: SigningKey
        let amina: Device
        let layla: Device
        private let scratches: [Scratch]

        init() async throws {
            hub = try Hub()
            new = try Hub(time: hub.time)
            key = try SigningKey.generate()
            scratches = [try Scratch(), try Scratch(), try Scratch()]
            amina = try await hub.enrol("amina", in: scratches[0])
            layla = try await hub.enrol("layla", in: scratches[1], key: key)
            try await amina.send(text: "hello", to: .user(layla.userID))
            try await layla.send(text: "hello", to: .user(amina.userID))
            try await hub.settle([amina, layla])
        }

        var target: UserID { UserID(node: new.id, username: layla.userID.username) }

        /// The device of the new id, which is known to those who ask.
        func arrive(key other: SigningKey? = nil) async throws -> Device {
            let device = try await new.enrol("layla", in: scratches[2], key: other ?? key)
            try await hub.adopt(device)
            return device
        }

        func record(to: UserID? = nil, after milliseconds: Int64 = 0, key other: SigningKey? = nil) -> JSONObject {
            (other ?? key).signed(
                UserMove.unsigned(
                    layla.userID, to: to ?? target, publicKey: key.publicKey.bytes,
                    at: hub.time.now().adding(milliseconds: milliseconds)), purpose: .userMoved)
        }

        func tell(_ record: JSONObject) async throws {
            await hub.push(record, to: amina.party)
            try await hub.settle([amina, layla])
        }
    }

    @Test("who knows a user follows to the new id, with alias, comparison and key, and hears of it in one line")
    func follow() async throws {
        let scene = try await Scene()
        let (amina, old) = (scene.amina, scene.layla.userID)
        try await amina.setAlias("mum", .user(old))
        try await amina.setVerified(old, true)
        let layla = try await scene.arrive()
        try await scene.layla.move(to: layla.userID, signedBy: scene.key)
        try await scene.hub.settle([amina, scene.layla, layla])

        #expect(try await amina.codes() == [.moved])
        #expect(try await amina.warnings(limit: 1).first?.subject == old.text)
        #expect(try await amina.addressBook().users == ["mum": layla.userID])
        let contact = try #require(try await amina.contact(layla.userID))
        #expect(contact.isVerified && contact.publicKey == scene.key.publicKey.bytes && contact.offered == nil)
        let entry = try await amina.send(text: "to the new house", to: .user(old))
        #expect(entry.target == .user(layla.userID))
        try await scene.hub.settle([amina, scene.layla, layla])
        #expect(try await layla.texts() == ["to the new house"])
        #expect(try await scene.layla.texts() == ["hello"])
        // The one who moved is told nothing of it.
        #expect(try await scene.layla.codes() == [])
        #expect(try await scene.layla.ownMove()?.to == layla.userID)
    }

    @Test(
        "a record that the user's key has not signed as it stands moves nobody",
        arguments: ["unsigned", "foreign", "altered", "another key", "same node", "own id"])
    func hostile(_ kind: String) async throws {
        let scene = try await Scene()
        let thief = try SigningKey.generate()
        let (good, user) = (scene.record(), scene.layla.userID)
        let (record, code): (JSONObject, ClientWarning.Code) =
            switch kind {
            case "unsigned": (good.omitting(["signature"]), .malformed)
            case "foreign": (scene.record(key: thief), .badSignature)
            case "altered":
                (good.setting("at", .string(scene.hub.time.now().adding(milliseconds: 5).description)), .badSignature)
            case "same node": (scene.record(to: UserID(node: scene.hub.id, username: try Username("eve"))), .malformed)
            case "own id": (scene.record(to: user), .malformed)
            default:
                (
                    thief.signed(
                        UserMove.unsigned(
                            user, to: scene.target, publicKey: thief.publicKey.bytes, at: scene.hub.time.now()),
                        purpose: .userMoved), .keyChanged
                )
            }
        _ = try await scene.arrive()
        try await scene.tell(record)
        #expect(try await scene.amina.codes() == [code])
        #expect(try await scene.amina.currentID(of: user) == user)
        #expect(try await scene.amina.number("SELECT count(*) FROM client_user_move") == 0)
    }

    @Test("a new id with another key is not followed, and its keys are not spoilt; messages go to the old id")
    func foreignSuccessor() async throws {
        let scene = try await Scene()
        // Somebody else is called so there.
        let other = try await scene.arrive(key: .generate())
        try await scene.tell(scene.record())
        #expect(try await scene.amina.codes() == [.keyChanged])
        #expect(try await scene.amina.currentID(of: scene.layla.userID) == scene.layla.userID)
        let contact = try #require(try await scene.amina.contact(other.userID))
        #expect(contact.publicKey == other.identityFile.publicKey && contact.offered == nil)
        #expect(
            try await scene.amina.send(text: "hi", to: .user(scene.layla.userID)).target == .user(scene.layla.userID))
    }

    @Test("a record that comes late or again does not lead back, and the later of two holds")
    func order() async throws {
        let scene = try await Scene()
        _ = try await scene.arrive()
        let (first, second) = (scene.record(to: try UserID("zzzzzzzz.layla"), after: 1), scene.record(after: 2))
        for record in [first, second, first, second] {
            try await scene.tell(record)
            try await scene.amina.use(ClientTransaction.recordPause)
        }
        #expect(try await scene.amina.currentID(of: scene.layla.userID) == scene.target)
        #expect(try await scene.amina.codes() == [.moved])
        // The same time and another place.
        try await scene.tell(scene.record(to: try UserID("zzzzzzzz.layla"), after: 2))
        #expect(try await scene.amina.currentID(of: scene.layla.userID) == scene.target)
    }

    @Test("as long as the new node is out of reach messages go to the old one; it is asked again after a day")
    func unreachable() async throws {
        let scene = try await Scene()
        let user = scene.layla.userID
        try await scene.tell(scene.record())
        #expect(try await scene.amina.send(text: "still here", to: .user(user)).target == .user(user))
        try await scene.hub.settle([scene.amina, scene.layla])
        #expect(try await scene.layla.texts() == ["hello", "still here"])
        _ = try await scene.arrive()
        _ = try await scene.amina.currentID(of: user)
        try await scene.hub.settle([scene.amina])
        #expect(try await scene.amina.currentID(of: user) == user)
        try await scene.amina.use(ClientTransaction.movePause)
        _ = try await scene.amina.currentID(of: user)
        try await scene.hub.settle([scene.amina])
        #expect(try await scene.amina.currentID(of: user) == scene.target)
        #expect(try await scene.amina.codes() == [.moved])
    }

    @Test("many records of one user bring one lookup an hour")
    func flood() async throws {
        let scene = try await Scene()
        func lookups() async throws -> Int {
            try await scene.hub.log.count { item in
                guard item.kind == .object, case .lookup(let lookup) = try ProtocolObject(parsing: item.body) else {
                    return false
                }
                return lookup.userID.node.text.hasPrefix("zzz")
            }
        }
        func tell(_ numbers: Range<Int>) async throws {
            for number in numbers {
                try await scene.tell(
                    scene.record(to: try UserID("zzzzzz\(10 + number).layla"), after: Int64(number)))
            }
        }
        try await tell(0..<5)
        #expect(try await lookups() == 1)
        try await scene.amina.use(ClientTransaction.recordPause - 1)
        try await tell(5..<6)
        #expect(try await lookups() == 1)
        try await scene.amina.use(1)
        try await tell(6..<8)
        #expect(try await lookups() == 2)
    }

    @Test("a block moves along: nothing is asked or said, and the new id is as silent as the old one")
    func blocked() async throws {
        let scene = try await Scene()
        try await scene.amina.setBlocked(scene.layla.userID, true)
        let layla = try await scene.arrive()
        try await scene.tell(scene.record())
        #expect(try await scene.amina.codes() == [])
        #expect(try await scene.amina.contact(layla.userID) == nil)
        try await layla.send(text: "me again", to: .user(scene.amina.userID))
        try await scene.hub.settle([layla, scene.amina])
        #expect(try await scene.amina.contact(layla.userID)?.isBlocked == true)
        #expect(try await scene.amina.texts() == [])
        #expect(try await scene.amina.codes() == [])
    }

    @Test(
        "where the old node is dead a message of the new id brings the record; one about somebody else counts for nothing"
    )
    func announced() async throws {
        let scene = try await Scene()
        let (layla, old) = (try await scene.arrive(), scene.layla.userID)
        let (move, elsewhere) = (
            try UserMove(scene.record()), try UserMove(scene.record(to: try UserID("zzzzzzzz.layla")))
        )
        try await layla.announce(elsewhere, to: scene.amina.userID)
        try await scene.hub.settle([layla, scene.amina])
        #expect(try await scene.amina.currentID(of: old) == old)
        try await layla.announce(move, to: scene.amina.userID)
        try await scene.hub.settle([layla, scene.amina])
        #expect(try await scene.amina.currentID(of: old) == layla.userID)
        #expect(try await scene.amina.codes() == [.moved])
        #expect(try await scene.amina.texts(from: layla.userID).last == "Moved here from \(old).")
        // A record that does not verify costs the reader a warning, and not the message.
        let forged = try UserMove(scene.record(after: 9, key: .generate()))
        try await layla.announce(forged, to: scene.amina.userID)
        try await scene.hub.settle([layla, scene.amina])
        #expect(try await scene.amina.texts(from: layla.userID).count == 3)
        #expect(try await scene.amina.codes() == [.badSignature, .moved])
    }

    @Test("a record that comes before its user's keys waits for them")
    func early() async throws {
        let scene = try await Scene()
        let (_, scratch) = (try await scene.arrive(), try Scratch())
        let noor = try await scene.hub.enrol("noor", in: scratch)
        await scene.hub.push(scene.record(), to: noor.party)
        try await scene.hub.settle([noor])
        #expect(try await noor.currentID(of: scene.layla.userID) == scene.layla.userID)
        #expect(try await noor.codes() == [])
        await scene.hub.introduce([scene.layla.userID], to: noor.party)
        try await scene.hub.settle([noor])
        #expect(try await noor.currentID(of: scene.layla.userID) == scene.target)
    }

    @Test("records in a circle lead to where the last one points, from wherever one begins")
    func circle() async throws {
        let scene = try await Scene()
        let ids = try ["bbbbbbbb.layla", "cccccccc.layla", "dddddddd.layla"].map { try UserID($0) }
        for (index, id) in ids.enumerated() {
            try await scene.follow(id, to: ids[(index + 1) % 3], after: Int64(index))
        }
        // b at 0, c at 1, d at 2 to b: the person is at b.
        for id in ids { #expect(try await scene.amina.currentID(of: id) == ids[0]) }
    }

    @Test("at most eight moves are followed one after the other")
    func hops() async throws {
        let scene = try await Scene()
        let ids = try (0...UserMove.hopsMax + 1).map { number in
            try UserID("\(String(repeating: Character(UnicodeScalar(UInt8(98 + number))), count: 8)).layla")
        }
        for index in 0...UserMove.hopsMax {
            try await scene.follow(ids[index], to: ids[index + 1], after: Int64(index))
        }
        #expect(try await scene.amina.currentID(of: ids[1]) == ids[UserMove.hopsMax + 1])
        #expect(try await scene.amina.currentID(of: ids[0]) == ids[UserMove.hopsMax])
    }

    @Test("the new device takes over keys, comparisons, names and blocks of the old one, and what is known of moves")
    func takeOver() async throws {
        let scene = try await Scene()
        let (old, amina) = (scene.layla, scene.amina.userID)
        let nobody = try UserID("zzzzzzzz.nobody")
        try await old.setVerified(amina, true)
        try await old.setAlias("sister", .user(amina))
        try await old.setBlocked(nobody, true)
        let layla = try await scene.arrive()
        try await layla.takeOver(contactsOf: old)
        let contact = try #require(try await layla.contact(amina))
        #expect(contact.isVerified && contact.aliases == ["sister"])
        #expect(try await layla.contact(nobody)?.isBlocked == true)
        #expect(try await layla.contact(old.userID) == nil)
        try await layla.send(text: "from the new house", to: .user(amina))
        try await scene.hub.settle([layla, scene.amina])
        #expect(try await scene.amina.texts(from: layla.userID) == ["from the new house"])
    }
}

extension UserMoveTests.Scene {
    /// A record of another id of the same key, followed.
    fileprivate func follow(_ id: UserID, to: UserID, after milliseconds: Int64) async throws {
        let record = key.signed(
            UserMove.unsigned(
                id, to: to, publicKey: key.publicKey.bytes, at: hub.time.now().adding(milliseconds: milliseconds)),
            purpose: .userMoved)
        let list = try await layla.devices().object
        try await amina.store.write { [key] transaction in
            for user in [id, to] where try transaction.pinnedKey(of: user) == nil {
                let own = key.signed(
                    list.omitting(["signature"]).setting("user_id", .string(user.text)).setting(
                        "devices",
                        .array(
                            (list["devices"]?.array ?? []).compactMap(\.object).map { entry in
                                .object(
                                    key.signed(
                                        entry.omitting(["signature"]).setting("user_id", .string(user.text)),
                                        purpose: .device))
                            })), purpose: .deviceList)
                try transaction.introduce(user, publicKey: key.publicKey.bytes, list: DeviceList(own))
            }
            try transaction.take(UserMove(record))
        }
    }
}

extension Device {
    /// Lets time of use pass.
    fileprivate func use(_ milliseconds: Int64) async throws {
        try await execute("UPDATE client_identity SET age = age + \(milliseconds)")
    }
}

extension Hub {
    /// Makes a device of another node known here.
    func adopt(_ device: Device) async throws {
        publications[device.party] = try await device.publication()
        userKeys[device.userID] = device.identityFile.publicKey
    }
}
