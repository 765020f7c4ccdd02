import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// What a node does with requests for messages, and with epochs that start by time.
extension Hub {
    func takeResealing(_ object: ProtocolObject, from source: Party) throws {
        switch object {
        case .messageRequest(let request): try pass(request)
        case .messageAnswer(let answer): push(answer.object, to: answer.to.party)
        case .resealed(let resealed):
            introduce([resealed.from.user], to: resealed.to.party)
            push(resealed.object, to: resealed.to.party)
        case .moved(let move):
            for member in channels[move.channel]?.members ?? [] where member != source {
                introduce([move.owner], to: member)
                push(move.object, to: member)
            }
        case .userMoved(let move):
            for party in publications.keys.sorted(by: { $0.text < $1.text }) where party != source {
                push(move.object, to: party)
            }
        case .memberKeys(let keys):
            #expect(keys.after != nil)
            try tellKeys(keys)
        default: Issue.record("a device sent what it must not send")
        }
    }

    /// Answers from what passed here if it keeps a journal, else asks the author.
    private func pass(_ request: MessageRequest) throws {
        var left = request.left
        if keepsJournal, request.reason == .missing {
            let known = try log.filter { $0.kind == .message }.map { try Message(parsing: $0.body) }
            var messages: [JSONObject] = []
            for (item, run) in zip(request.items, request.runs) {
                var found: [JSONObject] = []
                var next: [UInt8]? = item
                while let prefix = next, Int64(found.count) < run,
                    let message = known.first(where: { $0.hash.bytes.starts(with: prefix) })
                {
                    found.append(message.object)
                    next = message.previous.map { Array($0.bytes.prefix(10)) }
                }
                if !found.isEmpty { left.removeAll { $0 == item } }
                messages += found.reversed()
            }
            if !messages.isEmpty {
                push(
                    MessageAnswer.unsigned(
                        from: .node(id), to: request.from, author: request.to, messages: messages, at: time.now()),
                    to: request.from.party)
            }
        }
        guard !left.isEmpty else { return }
        introduce([request.from.user], to: request.to.party)
        push(request.leaving(left), to: request.to.party)
    }

    private func tellKeys(_ question: MemberKeys) throws {
        var answer = MemberKeys(
            channel: question.channel, version: question.version, to: question.to, keys: [], upTo: 1)
        for member in channels[question.channel]?.members ?? [] where member != question.to {
            guard let user = member.user, let joiner = joiners[member] else { continue }
            introduce([user], to: question.to)
            answer.keys.append(joiner)
        }
        push(answer.object, to: question.to)
    }

    /// The first epoch that follows another one is its successor; others are side epochs.
    func marked(_ epoch: EpochStart) -> JSONObject? {
        guard epoch.rotation != nil else {
            heads[epoch.channel] = epoch.name
            return nil
        }
        let isSide = heads[epoch.channel] != epoch.predecessor && heads[epoch.channel] != epoch.name
        if !isSide { heads[epoch.channel] = epoch.name }
        return isSide ? epoch.object.setting("side", true) : epoch.object
    }

    /// A new device in the place of all that a user had.
    func enrolAgain(_ name: String, in scratch: Scratch, key: SigningKey) async throws -> Device {
        let device = try await enrol(name, in: scratch, key: key)
        let list = publications[device.party]?.deviceList.object ?? [:]
        publications[device.party]?.deviceList = try DeviceList(
            key.signed(list.omitting(["signature"]).setting("version", 2), purpose: .deviceList))
        return device
    }

    func setJournal(_ keeps: Bool) { keepsJournal = keeps }
}
