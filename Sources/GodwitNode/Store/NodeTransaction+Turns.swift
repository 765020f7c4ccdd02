import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// A question in a frame that is one too many for now.
struct TurnLimited: Error {
    var question: LimitedQuestion
    var wait: Gatekeeper.Wait
}

/// Questions that frames bring are limited like those over sockets. A frame cannot be refused for one of its items, and the
/// item must not be lost: it waits here until the limit lets it through, or is refused if too many wait already.
extension NodeTransaction {
    /// Questions of one kind and one sender that wait.
    static let waitingTurnsMax: Int64 = 256

    /// - Throws: `TurnLimited` where who asks or the neighbour has asked too often.
    func admit(_ object: ProtocolObject, from source: Party) throws {
        guard let gate, let (question, user) = Self.question(in: object),
            let wait = gate.turn(for: question, by: user, from: source)
        else { return }
        NodeMetrics.limited(wait.limit)
        throw TurnLimited(question: question, wait: wait)
    }

    private static func question(in object: ProtocolObject) -> (LimitedQuestion, UserID)? {
        switch object {
        case .lookup(let lookup): lookup.requester.user.map { (.lookup, $0) }
        case .messageRequest(let request): (.messages, request.from.user)
        default: nil
        }
    }

    func delay(_ item: BatchItem, from source: Party, until limited: TurnLimited) throws {
        let key = limited.question.key + source.text
        let waiting = try row("SELECT count(*) AS n FROM node_held WHERE waits_for = ?", [key])?["n"] as Int64? ?? 0
        guard waiting < Self.waitingTurnsMax else {
            return try refuse(item, from: source, because: limited.wait.error)
        }
        try hold(item, from: source, until: key)
    }

    /// Lets waiting questions through, each sender's in their order, as far as the limits allow.
    func takeUpTurns() throws {
        for question in LimitedQuestion.allCases { try takeUp(question) }
    }

    private func takeUp(_ question: LimitedQuestion) throws {
        guard let gate else { return }
        let uptime = try spool.uptime()
        // "/" is followed by "0", so this is the range of all texts that begin with the key.
        let waiting = try rows(
            "SELECT * FROM node_held WHERE waits_for >= ? AND waits_for < ? ORDER BY waits_for, held",
            [question.key, String(question.key.dropLast()) + "0"])
        var stopped: Set<Party> = []
        for row in waiting {
            let source = try Party(row["source"] as String)
            guard !stopped.contains(source) else { continue }
            guard let object = try? ProtocolObject(parsing: [UInt8](row["body"] as Data)),
                let (_, user) = Self.question(in: object)
            else { continue }
            if let wait = gate.turn(for: question, by: user, from: source) {
                // Another user of the same neighbour may still ask.
                if case .device = source { stopped.insert(source) }
                if wait.limit == question.neighbourLimit { stopped.insert(source) }
                continue
            }
            let item = try takeOut(row, at: uptime).item
            try attempt(item, from: source, isAdmitted: true)
        }
    }
}
