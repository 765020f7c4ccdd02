import FoundationEssentials
import GRDB
import GodwitClient
import GodwitNode
import GodwitProtocol

/// What came of it, held against the model.
extension World {
    /// One device's inbox, as far as the model asks.
    private struct Shelf {
        var entries: [InboxEntry] = []
        var texts: [String: Int] = [:]
        /// Reasons of messages without a content.
        var holes: [MessageHash: String] = [:]
        /// Authors of whom the device could not use something.
        var warned: Set<String> = []
        /// Authors of whom it was told that something came too late for it.
        var late: Set<String> = []
    }

    func judge() async throws {
        var shelves: [Shelf] = []
        for number in devices.indices { shelves.append(try await shelf(of: number)) }
        let ends = try await ends()
        let epochs = try await epochs()
        for (message, end) in zip(model.written, ends) {
            try judge(message, end, readers(of: message, end, epochs), shelves, end?.hash.flatMap { epochs[$0.bytes] })
        }
        let chains = chains(ends, epochs)
        let known = Set(model.written.map(\.text)).union(model.strays)
        // What a store that was put back had not sent it seals once more, as another message.
        let resent = Set(model.written.filter { copied.contains($0.device) }.map(\.text))
        for (number, shelf) in shelves.enumerated() {
            for (text, count) in shelf.texts {
                if !known.contains(text) { found(.invented, "device \(number) has read what nobody wrote: \(text)") }
                if count > 1, !copied.contains(number), !resent.contains(text) {
                    found(.doubled, "device \(number) has read \(count) times: \(text)")
                }
            }
            judgeOrder(shelf.entries, of: number, chains)
        }
        try await judgeRest()
        try await judgeStores()
    }

    private func shelf(of number: Int) async throws -> Shelf {
        var shelf = Shelf()
        let device = devices[number].device
        shelf.entries = try await device.inbox(limit: .max)
        for entry in shelf.entries {
            if let hole = entry.hole {
                shelf.holes[entry.hash] = hole.reason
            } else {
                shelf.texts[entry.text, default: 0] += 1
            }
        }
        tally.read += shelf.entries.count
        for warning in try await device.warnings(limit: 10_000) {
            tally.warnings[warning.code.rawValue, default: 0] += Int(warning.times)
            if let subject = warning.subject {
                shelf.warned.insert(subject)
                if warning.code == .expired { shelf.late.insert(subject) }
            }
            let isAboutCopy = copied.contains { devices[$0].device.userID.text == warning.subject }
            // Somebody lost a device while it was coming into a channel.
            if plan.losses > 0, warning.code == .unlistedDevice { continue }
            let isCauseless = Self.causeless.contains(warning.code) || warning.code == .expired && !outlivesItems
            guard isCauseless, !isAboutCopy, !copied.contains(number) else { continue }
            found(.warned, "device \(number): \(warning.code.rawValue): \(warning.message) (\(warning.subject ?? "-"))")
        }
        return shelf
    }

    /// Warnings for which nothing in the plan is a cause.
    private static let causeless: Set<ClientWarning.Code> = [
        .keyChanged, .badSignature, .malformed, .epochMismatch, .unreadable, .misdirected, .fork, .overflow,
        .unlistedDevice, .copied,
    ]

    /// Devices are dark for longer than items live, so some of what waits for them ends.
    private var outlivesItems: Bool { plan.darkFor >= Message.defaultLifetime }

    /// Something may be under way for longer than what follows it is held back.
    private var mayOvertake: Bool { plan.sticks > 0 || plan.darkFor > WorldPlan.day }

    /// What became of each message that was written, by its author's outbox.
    private func ends() async throws -> [OutboxEntry?] {
        var boxes: [[Int64: OutboxEntry]] = []
        for device in devices {
            let entries = try await device.device.outbox(limit: .max)
            boxes.append(Dictionary(uniqueKeysWithValues: entries.map { ($0.row, $0) }))
        }
        return model.written.map { boxes[$0.device][$0.row] }
    }

    private func judge(
        _ message: WorldModel.Written, _ end: OutboxEntry?, _ readers: Readers, _ shelves: [Shelf], _ epoch: [UInt8]?
    ) throws {
        let name = "device \(message.device) wrote to \(message.conversation.text): \(message.text)"
        // A store that was put back has given the row to something else.
        if copied.contains(message.device), end?.text != message.text { return }
        let isAuthorLost = !devices[message.device].isInUse
        guard let end else { return found(.lost, "the outbox has lost what \(name)") }
        for (number, shelf) in shelves.enumerated() where number != message.device {
            let party = devices[number].party
            let has = shelf.texts[message.text] != nil
            if has, !readers.may.contains(party) { found(.leaked, "device \(number) has read what \(name)") }
            guard !has, readers.must.contains(party), copied.isDisjoint(with: [number, message.device]) else {
                continue
            }
            if outlivesItems, shelf.late.contains(message.author.text) {
                tally.late += 1
                continue
            }
            // Nobody is left who could seal it again.
            if isAuthorLost, end.hash.flatMap({ shelf.holes[$0] }) != nil { continue }
            let isTold = shelf.warned.contains(message.author.text)
            let hole = end.hash.flatMap { shelf.holes[$0] }.map { ", a hole: \($0)" } ?? ""
            let trace = try trace(of: epoch, at: number) + ", written on day \(message.at / WorldPlan.day)" + hole
            found(
                isTold ? .unreadable : .lost,
                "device \(number) has not read what \(name) (\(end.state.rawValue), \(trace))")
        }
        switch end.state {
        case .waitingKeys, .sealed:
            if !copied.contains(message.device), !isAuthorLost { found(.stuck, "\(end.state.rawValue): \(name)") }
        case .refused, .expired: tally.refused += 1
        case .atNode, .delivered: break
        }
    }

    /// What a reader knows of the epoch of a message that it has not read.
    private func trace(of epoch: [UInt8]?, at number: Int) throws -> String {
        guard let epoch else { return "direct" }
        let probe = try StoreProbe(devices[number].directory)
        let rows = try probe.rows(
            """
            SELECT e.membership, e.next IS NOT NULL AS is_readable, c.state, c.applied,
              (SELECT max(since) FROM client_member m WHERE m.channel = c.channel AND m.user = ?) AS since
            FROM client_epoch e JOIN client_channel c ON c.channel = e.channel WHERE e.name = ?
            """, [devices[number].device.userID.text, Data(epoch)])
        try probe.close()
        guard let row = rows.first else { return "its epoch is unknown there" }
        return "its epoch there: " + row.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
    }

    private typealias Readers = (may: Set<Party>, must: Set<Party>)

    /// The epoch that each message to a channel names, by the message's hash.
    private func epochs() async throws -> [[UInt8]: [UInt8]] {
        var epochs: [[UInt8]: [UInt8]] = [:]
        for device in devices {
            let probe = try StoreProbe(device.directory)
            for row in try probe.rows("SELECT hash, epoch FROM client_outbox WHERE epoch IS NOT NULL") {
                epochs[row.bytes("hash")] = row.bytes("epoch")
            }
            try probe.close()
        }
        return epochs
    }

    /// Takes note of the epochs that a device has keys of: those that start by time are known to nobody else, and in the
    /// end they are forgotten.
    func observeEpochs(of device: SimulatedDevice) throws {
        let probe = try StoreProbe(device.directory)
        for row in try probe.rows(
            """
            SELECT e.name, e.membership, c.name || ':' || c.node AS channel FROM client_epoch e
            JOIN client_channel c ON c.channel = e.channel WHERE e.next IS NOT NULL AND e.membership > 0
            """)
        {
            let channel = try ChannelID(row["channel"] as String, defaultNode: device.device.homeNode.id)
            model.rotated(to: row.bytes("name"), of: channel, row["membership"])
        }
        try probe.close()
    }

    /// - Returns: nobody must read what its author was told goes no further.
    private func readers(
        of message: WorldModel.Written, _ end: OutboxEntry?, _ epochs: [[UInt8]: [UInt8]]
    ) -> Readers {
        var readers: Readers = ([], [])
        switch message.conversation {
        case .direct(let one, let other):
            let mine = devices.filter { [one, other].contains($0.device.userID) }
            readers.may = Set(mine.map(\.party))
            readers.must = Set(mine.filter { $0.enrolled <= message.at }.map(\.party))
        case .channel:
            if let hash = end?.hash, let epoch = epochs[hash.bytes], let found = model.readers(inEpoch: epoch) {
                readers = found
            }
        }
        for device in devices {
            if let removed = device.removed, removed < message.at { readers.may.remove(device.party) }
            if !device.isInUse { readers.must.remove(device.party) }
        }
        let isGone =
            !devices[message.device].isInUse && end?.state != .atNode && end?.state != .delivered
        if end?.state == .refused || end?.state == .expired || isGone { readers.must = [] }
        return readers
    }

    /// Places in the chains of authors whose messages need not arrive at somebody.
    private struct Chains {
        /// By author's device and conversation, in the order of the chain: who must have each message.
        var must: [String: [Set<Party>]] = [:]

        static func name(_ author: Party, _ conversation: Conversation) -> String {
            author.text + " " + conversation.text
        }
    }

    private func chains(_ ends: [OutboxEntry?], _ epochs: [[UInt8]: [UInt8]]) -> Chains {
        var chains = Chains()
        // What was never sealed has no place.
        for (message, end) in zip(model.written, ends) where end?.hash != nil {
            chains.must[Chains.name(devices[message.device].party, message.conversation), default: []]
                .append(readers(of: message, end, epochs).must)
        }
        return chains
    }

    private func judgeOrder(_ entries: [InboxEntry], of number: Int, _ chains: Chains) {
        var last: [String: Int64] = [:]
        let party = devices[number].party
        let strangers = Set(copied.map { devices[$0].device.userID })
        for entry in entries where !copied.contains(number) && !strangers.contains(entry.author) {
            // It says itself that it came late.
            if entry.late != nil || entry.isOvertaken && mayOvertake {
                tally.overtaken += 1
                continue
            }
            let chain = Chains.name(.device(entry.author, entry.device), entry.conversation)
            let before = last[chain] ?? -1
            if before >= entry.sequence {
                found(.disordered, "device \(number) has read \(entry.sequence) after \(before) of \(chain)")
            }
            last[chain] = entry.sequence
            // A gap is explained by a message that goes no further, or was written while this one was no member.
            let must = chains.must[chain] ?? []
            let missing = max(0, before + 1)..<max(0, before + 1, entry.sequence)
            if entry.followsGap, missing.allSatisfy({ $0 < must.count && must[Int($0)].contains(party) }) {
                found(.gap, "device \(number) was shown a gap before \(entry.sequence) of \(chain)")
            }
        }
    }

    private func judgeRest() async throws {
        for (number, device) in devices.enumerated() where !copied.contains(number) && device.isInUse {
            let status = try await device.device.status()
            // What has missed its keys waits for them for as long as items live.
            let pending = outlivesItems ? 0 : try waiting(device)
            guard status.queued + status.held + pending > 0 else { continue }
            found(
                .stuck,
                "device \(number): \(status.queued) queued, \(status.held) held back, \(pending) waiting for keys"
            )
        }
    }

    /// What waits for anything but a device that has been struck from its user's list.
    private func waiting(_ device: SimulatedDevice) throws -> Int {
        let probe = try StoreProbe(device.directory)
        defer { try? probe.close() }
        let struck = Set(devices.filter { $0.removed != nil }.map { "device:" + $0.party.text })
        return try probe.rows("SELECT waits_for FROM client_pending WHERE waits_for NOT GLOB 'spent:*'")
            .count { !struck.contains($0["waits_for"]) }
    }

    private func judgeStores() async throws {
        for text in Set(tap.finds) { found(.clear, "on the wire: \(text)") }
        for node in nodes {
            if Bytes.contain(Array(mark.utf8), in: SimulatedDisk.bytes(of: node.spoolDirectory)) {
                found(.clear, "in the store of node \(node.id)")
            }
            let probe = try StoreProbe(node.spoolDirectory)
            tally.nodeRows.merge(try probe.counts(), uniquingKeysWith: max)
            tally.versions += try probe.sum("SELECT sum(version) AS n FROM node_channel WHERE node = ?", [node.id.text])
            try probe.close()
        }
        for device in devices {
            let probe = try StoreProbe(device.directory)
            tally.deviceRows.merge(try probe.counts(), uniquingKeysWith: max)
            tally.resealed += try probe.sum("SELECT sum(times) AS n FROM client_reseal")
            try probe.close()
        }
    }
}
