import Crypto
import FoundationEssentials
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// Keys that were used are nowhere in the files of a device's store (E2E-10).
@Suite("Deletion of used keys")
struct KeyDeletionTests {
    /// Secrets of a ratchet, cut out of its stored form (`RatchetState.encoded()`).
    private struct Keys {
        var root: [UInt8]
        var own: [UInt8]
        var sending: [UInt8]?
        var receiving: [UInt8]?

        init(_ session: Session) {
            let bytes = session.ratchet.encoded()
            var offset = 2 + Int(bytes[1])
            func take(_ count: Int) -> [UInt8] {
                defer { offset += count }
                return Array(bytes[offset..<offset + count])
            }
            root = take(32)
            own = take(32)
            let flags = take(1)[0]
            if flags & 1 != 0 { _ = take(32) }
            sending = flags & 2 == 0 ? nil : Array(take(40).prefix(32))
            receiving = flags & 4 == 0 ? nil : Array(take(40).prefix(32))
        }

        /// The key of the next message of a chain (docs/protocol.md, section 4.2, KDF_CK).
        static func message(of chain: [UInt8]) -> [UInt8] { step(chain, 1) }
        static func next(_ chain: [UInt8]) -> [UInt8] { step(chain, 2) }

        private static func step(_ chain: [UInt8], _ byte: UInt8) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: [byte], using: SymmetricKey(data: chain)))
        }
    }

    /// Looks at the files of an open store, and at those of the closed one.
    private func expectGone(_ secrets: [String: [UInt8]], from store: Scratch, of device: Device) async throws {
        let afterUse = store.databaseBytes()
        try await device.close()
        let afterClosing = store.databaseBytes()
        for (name, secret) in secrets {
            let found = (afterUse.contains(secret), afterClosing.contains(secret))
            #expect(!found.0 && !found.1, "\(name)")
        }
    }

    @Test("neither side's files hold chain keys, message keys, ratchet keys or roots that were used (E2E-10)")
    func usedKeys() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "a0", to: .user(layla.userID))
        try await house.hub.settle(house.all)
        let ours = Keys(try #require(try await amina.session(with: layla)))
        let theirs = Keys(try #require(try await layla.session(with: amina)))
        let chain = try #require(ours.sending)
        #expect(chain == theirs.receiving)
        for store in [house.aminaStore, house.laylaStore] {
            let isThere = store.databaseBytes().contains(chain)
            #expect(isThere, "what is in use is there")
        }

        // The second message is overtaken by the third: its key is kept until it comes.
        for text in ["a1", "a2", "a3"] { try await amina.send(text: text, to: .user(layla.userID)) }
        try await house.hub.collect(from: amina)
        var messages = await house.hub.drain(layla.party).filter { $0.kind == .message }
        let late = messages.remove(at: 1)
        try await layla.deliver(messages)
        let skipped = Keys.message(of: Keys.next(chain))
        let isKept = house.laylaStore.databaseBytes().contains(skipped)
        #expect(isKept)
        try await layla.deliver([late])
        try await layla.send(text: "l0", to: .user(amina.userID))
        try await house.hub.settle(house.all)
        // Both ratchets have turned when this was read.
        try await amina.send(text: "a4", to: .user(layla.userID))
        try await house.hub.settle(house.all)
        #expect(try await layla.texts() == ["a0", "a1", "a2", "a3", "a4"])
        #expect(try await amina.texts() == ["l0"])

        var used = ["chain key": chain, "skipped message key": skipped, "ratchet key of the initiator": ours.own]
        used["ratchet key of the responder"] = theirs.own
        var step = chain
        for number in 1...3 {
            used["message key \(number)"] = Keys.message(of: step)
            step = Keys.next(step)
            if number < 3 { used["chain key \(number)"] = step }
        }
        // As at the end of each contact.
        for device in house.all { try await device.store.spool.truncateLog() }
        try await expectGone(
            used.merging(["root of the initiator": ours.root]) { one, _ in one }, from: house.aminaStore, of: amina)
        try await expectGone(
            used.merging(["root of the responder": theirs.root]) { one, _ in one }, from: house.laylaStore, of: layla)
    }

    @Test("a one-time pre-key that was used is gone from the files (E2E-03, E2E-10)")
    func oneTimeKeys() async throws {
        let house = try await Household()
        let layla = house.layla[0]
        let secret = try await layla.store.read { transaction in
            let row = try transaction.row("SELECT secret FROM client_one_time_key ORDER BY id LIMIT 1")
            return try #require(row).blob("secret")
        }
        try await house.amina.send(text: "a0", to: .user(layla.userID))
        try await house.hub.settle(house.all)
        #expect(try await layla.texts() == ["a0"])
        try await layla.store.spool.truncateLog()
        try await expectGone(["one-time pre-key": secret], from: house.laylaStore, of: layla)
    }
}
