import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

extension ClientTransaction {
    /// Takes one item of a frame. What cannot be used is recorded as a warning, what lacks something is kept until that
    /// comes; failures of the store (full, broken) are thrown, so that the frame stays with the node and comes again.
    func take(_ kind: BatchItem.Kind, _ body: [UInt8]) throws {
        if let awaited = try attempt(kind, body) { try keep(kind, body, until: awaited) }
    }

    /// - Returns: what the item lacks; nil if it is done with.
    func attempt(_ kind: BatchItem.Kind, _ body: [UInt8]) throws -> Awaited? {
        do {
            try inSavepoint { try self.dispatch(kind, body) }
        } catch let waiting as Waiting {
            return waiting.awaited
        } catch is BeforeJoining {
            return nil
        } catch {
            try note(error, of: kind, body)
        }
        return nil
    }

    private func note(_ error: any Error, of kind: BatchItem.Kind, _ body: [UInt8]) throws {
        guard try !notesUnreadable(kind, body, error) else { return }
        switch error {
        case let rejected as Rejected: try warn(rejected, about: Self.subject(of: body))
        case let error as ProtocolError where !error.isOfStore: try warn(Rejected(error), about: Self.subject(of: body))
        case let error as CryptoError: try warn(Rejected(error), about: Self.subject(of: body))
        default: throw error
        }
    }

    private func dispatch(_ kind: BatchItem.Kind, _ body: [UInt8]) throws {
        guard kind != .message else {
            try take(try Message(parsing: body))
            return
        }
        switch try ProtocolObject(parsing: body) {
        case .introduction(let introduction):
            try introduce(
                introduction.userID, publicKey: introduction.publicKey, list: introduction.deviceList)
        case .membership(let membership): try take(membership)
        case .memberList(let list): try take(list)
        case .memberKeys(let keys): try take(keys)
        case .invitation(let invitation): try take(invitation)
        case .epoch(let epoch): try take(epoch)
        case .epochKey(let key): try take(key)
        case .lookupResult(let result): try take(result)
        case .refusal(let refusal): try take(refusal)
        case .receipt(let receipt): try take(receipt)
        case .linkStatus(let notice): try take(notice)
        case .deletion(let deletion): try take(deletion)
        case .messageRequest(let request): try take(request)
        case .messageAnswer(let answer): try take(answer)
        case .resealed(let resealed): try take(resealed)
        case .moved(let move): try take(move)
        case .userMoved(let move): try take(move)
        case .readMarker(let marker): try take(marker)
        // News of the moment, of which a store is no place.
        case .presence, .typing: return
        case .preKeyStock(let stock): try take(stock)
        case .heldMessages(let held): try note("messages_held", held.object, in: held.channel, at: held.at)
        case .custody(let report): try take(report)
        case .conversationHeads(let notice): try take(notice)
        case .cover: return
        case .command, .lookup, .erasure, .custodyQuestion:
            throw Rejected(.misdirected, "An object for a node arrived at a device.")
        }
    }

    /// Whom a warning about an item is about, as far as the item says.
    private static func subject(of body: [UInt8]) -> String? {
        guard let object = try? JSONObject.parse(body, limits: JSONLimits(bytes: ProtocolObject.bytesMax)) else {
            return nil
        }
        let text = (object["author"] ?? object["user_id"] ?? object["channel"])?.string
        return text.flatMap { $0.utf8.count <= 128 ? $0 : nil }
    }
}
