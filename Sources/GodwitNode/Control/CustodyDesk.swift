import FoundationEssentials
import GRDB
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Logging
import Synchronization

/// Answers devices that ask how far their messages have come beyond this node (docs/protocol.md §7, `custody_question`).
struct CustodyDesk {
    let core: NodeCore
    let links: LinkBoard
    let presence: PresenceBoard

    /// Puts the answer into the device's queue.
    func answer(_ question: CustodyQuestion) async throws {
        guard case .device(let user, _) = question.from else { return }
        let items = try await core.read { transaction in
            try question.items.filter { try transaction.isOwn($0, of: user) }
        }
        let why = SpoolWhy(core: core, links: links, presence: presence)
        var copies: [CustodyReport.Copy] = []
        for item in items {
            // What was dropped from the marks of the spool long ago is known here no more.
            guard let known = try? await why.answer(Base32.encode(item)) else { continue }
            copies += Self.copies(of: item, known)
        }
        let report = CustodyReport(
            to: question.from, at: core.time.now(), copies: Array(copies.prefix(CustodyReport.copiesMax)))
        try await core.write { _ = try $0.enqueueAnew(report.object, to: report.to) }
    }

    /// Of copies for devices here nothing is said: what they have read is theirs to tell.
    private static func copies(of item: [UInt8], _ known: JSONObject) -> [CustodyReport.Copy] {
        func next(_ object: JSONObject) -> NodeID? {
            guard let text = object["destination"]?.string, case .node(let node)? = try? Party(text) else { return nil }
            return node
        }
        let waiting = (known["copies"]?.array ?? []).compactMap(\.object).compactMap { object in
            next(object).map { node in
                CustodyReport.Copy(
                    item: item, next: node, state: .waiting,
                    goes: object["forecast"]?.object?["sent_at"]?.string.flatMap { Timestamp(iso8601: $0) })
            }
        }
        let gone = (known["gone"]?.array ?? []).compactMap(\.object).compactMap { object in
            next(object).map { node in
                CustodyReport.Copy(
                    item: item, next: node, state: object["state"]?.string == "expired" ? .expired : .forwarded)
            }
        }
        return waiting + gone
    }
}

extension NodeTransaction {
    /// Whether a message that is named by the beginning of its hash was written by a user.
    fileprivate func isOwn(_ item: [UInt8], of user: UserID) throws -> Bool {
        try row(
            """
            SELECT 1 FROM node_message WHERE substr(hash, 1, 8) = ? AND substr(hash, 1, 10) = ? AND author = ?
            """, [Data(item.prefix(8)), Data(item), user.text]) != nil
    }

    /// Notes a question that is answered once its frame is durable; of several of one device only the last is.
    func take(_ question: CustodyQuestion, from source: Party) throws {
        guard case .device(let user, _) = source, question.from == source, user.node == context.id else {
            throw ProtocolError(
                .insufficientPermissions, "A device asks its home node, and of its own messages only.")
        }
        aftermath.questions[source] = question
    }
}

/// What answers questions for custody; set once the links are there, which need the rest of the node.
final class CustodyAnswers: Sendable {
    private let answer = Mutex<(@Sendable (CustodyQuestion) async -> Void)?>(nil)

    func set(_ answer: @escaping @Sendable (CustodyQuestion) async -> Void) {
        self.answer.withLock { $0 = answer }
    }

    func carryOut(_ question: CustodyQuestion) async { await answer.withLock({ $0 })?(question) }
}

extension LinkBoard {
    /// An answer that the store does not take is asked for again by the device.
    func answer(_ question: CustodyQuestion, _ presence: PresenceBoard) async {
        do {
            try await CustodyDesk(core: core, links: self, presence: presence).answer(question)
        } catch {
            core.logger.error("a question for custody was not answered", metadata: ["error": "\(type(of: error))"])
        }
    }
}
