import GodwitClient
import GodwitCrypto
import GodwitNode
import GodwitProtocol

extension ProtocolError {
    /// What a node says to frames of a device that has lost its memory.
    var isOfCopy: Bool { code == .federationError }
}

/// Devices whose store is put back to an earlier state, or runs on a second box. No backup of ours does that (D-6), but a
/// card may be copied by anybody.
extension World {
    struct Card {
        var device: Int
        var directory: String
        /// States of keys that the device had moved on from when it was copied.
        var used: Set<[UInt8]>?
    }

    /// Somebody copies a device's card.
    func copyCard() throws {
        let number = pick(devices.count)
        let directory = disk.path + "/card-\(tally.cards)"
        tally.cards += 1
        try SimulatedDisk.copy(devices[number].directory, to: directory)
        cards.append(Card(device: number, directory: directory, used: thief.used[number]))
    }

    /// A copied card is put into its box again, or into another one that says something and is then thrown away.
    func useCard() async throws {
        guard !cards.isEmpty else { return }
        let card = cards.remove(at: pick(cards.count))
        let number = card.device
        guard devices[number].isAtHand else { return }
        copied.insert(number)
        tally.copies += 1
        if random.chance(0.5) {
            try await devices[number].replace(by: card.directory)
            // It may go once more through the states that came after.
            thief.used[number] = card.used
            return
        }
        let twin = try await SimulatedDevice.open(card.directory, devices[number].clock)
        for summary in try await twin.channels() where summary.state == .member {
            let text = "\(mark) twin \(tally.copies) \(summary.id.name)"
            try await twin.send(text: text, to: .channel(summary.id))
            model.strays.insert(text)
        }
        let link = SimulatedLink(nodes[devices[number].node].node.exchange, tap, fates: [])
        for _ in 0..<3 {
            // The node sees numbers of frames that were used before.
            do { _ = try await twin.sync(over: link) } catch let error as ProtocolError where error.isOfCopy {}
        }
        try await twin.close()
    }

    /// Whatever was copied and put back: no key is used with one nonce for two messages (E2E-02).
    func judgeNonces() {
        struct Use: Hashable {
            var device: DeviceID
            var key: String
            var ratchet: [UInt8]
            var nonce: [UInt8]
        }
        var used: [Use: MessageHash] = [:]
        func note(_ message: Message, _ key: String, _ header: [UInt8], _ nonce: [UInt8]) {
            let ratchet = (try? SessionHeader(header))?.ratchet.ratchetKey.bytes ?? []
            let use = Use(device: message.device, key: key, ratchet: ratchet, nonce: nonce)
            if let other = used.updateValue(message.hash, forKey: use), other != message.hash {
                found(.stolen, "\(message.device) has sealed \(message.hash.id) and \(other.id) with one key and nonce")
            }
        }
        for (number, messages) in thief.recorded {
            for message in messages {
                note(message, message.encryption.keyID, message.encryption.header, message.encryption.nonce)
                if let way = SessionWay(message, to: devices[number].party), let wrapped = way.wrapped {
                    note(message, way.session, way.header, wrapped.nonce)
                }
            }
        }
        tally.nonces = used.count
    }
}
