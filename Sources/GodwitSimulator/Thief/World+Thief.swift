import GRDB
import GodwitCrypto
import GodwitProtocol

/// A copy of a device's database comes into the thief's hands, who has recorded every ciphertext.
extension World {
    func theft() async throws {
        let number = pick(devices.count)
        let directory = disk.path + "/stolen-\(tally.thefts)"
        tally.thefts += 1
        try SimulatedDisk.copy(devices[number].directory, to: directory)
        thief.loot.append(
            Thief.Loot(device: number, directory: directory, recorded: thief.recorded[number]?.count ?? 0))
        try judgePast(number, directory)
    }

    /// Forward secrecy: what the device has read cannot be decrypted from what it has kept.
    private func judgePast(_ number: Int, _ directory: String) throws {
        let probe = try StoreProbe(directory)
        // What another own device has told, or is a hole, this one could still open.
        let read = Set(
            try probe.rows("SELECT hash FROM client_message WHERE lost IS NULL AND synced = 0").map { $0.bytes("hash") }
        )
        try probe.close()
        var keys = try StolenKeys(directory)
        for message in thief.recorded[number] ?? [] where read.contains(message.hash.bytes) {
            if keys.opens(message, for: devices[number].party) {
                found(.stolen, "the thief of device \(number) reads what it had read before: \(message.hash.id)")
            } else {
                tally.withstood += 1
            }
        }
        let leftovers = try thief.leftovers(of: number, in: directory)
        if leftovers > 0 {
            found(.stolen, "\(leftovers) used states of keys can be read in the files of device \(number)")
        }
    }

    /// Recovery: each answer mixes in a key that the thief has not seen. A copy follows the answers to what its owner had
    /// said before the theft and no further.
    func judgeRecovery() throws {
        for loot in thief.loot {
            var keys = try StolenKeys(loot.directory)
            var opened: [String: Set<[UInt8]>] = [:]
            for message in (thief.recorded[loot.device] ?? []).dropFirst(loot.recorded) where message.epoch == nil {
                let reader = devices[loot.device].party
                guard let way = SessionWay(message, to: reader), let header = try? SessionHeader(way.header) else {
                    continue
                }
                if keys.opens(message, for: reader) {
                    opened[way.session, default: []].insert(header.ratchet.ratchetKey.bytes)
                } else {
                    tally.recovered += 1
                }
            }
            for (session, turns) in opened where turns.count > Self.turnsMax {
                found(
                    .stolen, "the thief of device \(loot.device) follows session \(session) over \(turns.count) turns")
            }
        }
    }

    /// Keys of the other side with which a stolen ratchet still reads: the one at the time, and the one that answers what
    /// was sent before.
    private static let turnsMax = 2
}
