import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Messages that readers' devices ask for (docs/protocol.md §7): answered from the journal where the sealed message is
/// all that is wanted, else passed on towards the author's device.
extension NodeTransaction {
    /// Bytes of messages that one request brings from this node; the reader asks again for the rest.
    static let requestedBytesMax = 131_072

    func take(_ request: MessageRequest, from source: Party) throws {
        let hub: NodeID? = if case .channel(let id) = request.conversation { id.node } else { nil }
        guard comes(from: request.from, over: source, via: hub) else {
            throw ProtocolError(.insufficientPermissions, "A device asks for itself only.")
        }
        guard let key = try signingKey(of: request.from.user, request.from.device) else {
            throw AuthorUnknown(user: request.from.user)
        }
        try KeyChecks.verify(request.object, signedBy: key, purpose: .reseal)
        var reply = Reply()
        var left = request.left
        if request.reason == .missing { left = try look(for: left, of: request, into: &reply) }
        if !left.isEmpty {
            do {
                try passOn(request, left, hub: hub, from: source)
            } catch let error as ProtocolError where !error.isOfStore {
                let reason: HoleReason = error.code == .userNotFound ? .deviceGone : .unreachable
                for item in left { reply.holes[item] = reason }
            }
        }
        try send(reply, to: request, via: hub)
    }

    /// What a device sends comes from it, its node, or the node of the channel that it is about.
    private func comes(from device: DeviceAddress, over source: Party, via hub: NodeID?) -> Bool {
        source == device.party || source == .node(device.user.node) || hub.map { source == .node($0) } ?? false
    }

    // MARK: The journal

    /// What is known here of what was asked for.
    private struct Reply {
        var messages: [[JSONObject]] = []
        var bytes = 0
        var holes: [[UInt8]: HoleReason] = [:]

        mutating func add(_ message: JSONObject, bytes size: Int) {
            let isFull = messages.last.map { last in last.count >= MessageAnswer.messagesMax } ?? true
            if isFull || used + size > MessageAnswer.bytesMax {
                messages.append([])
                used = 0
            }
            messages[messages.count - 1].append(message)
            used += size
            bytes += size
        }

        /// Bytes of the last part.
        private var used = 0
    }

    /// - Returns: the items that this node cannot answer.
    private func look(
        for items: [[UInt8]], of request: MessageRequest, into reply: inout Reply
    ) throws -> [[UInt8]] {
        let floor: Int64
        switch request.conversation {
        case .channel:
            do {
                floor = try firstArrival(in: request.conversation, for: request.from.user)
            } catch let error as ProtocolError where error.code == .channelNotFound {
                // Whoever is no member here gets nothing from here; the channel's node knows better.
                return items
            }
        case .direct:
            floor = try isBlocked(request.to.user, by: request.from.user) ? .max : 0
        }
        let runs = Dictionary(zip(request.items, request.runs)) { first, _ in first }
        var left: [[UInt8]] = []
        for item in items where try !trail(from: item, runs[item] ?? 1, request, floor, into: &reply) {
            left.append(item)
        }
        return left
    }

    private func isBlocked(_ user: UserID, by reader: UserID) throws -> Bool {
        try row("SELECT 1 FROM node_block WHERE user = ? AND blocked = ?", [reader.text, user.text]) != nil
    }

    /// Follows a chain back from an item, as far as the journal has it.
    /// - Returns: false where the item itself has to be asked for elsewhere.
    private func trail(
        from item: [UInt8], _ count: Int64, _ request: MessageRequest, _ floor: Int64, into reply: inout Reply
    ) throws -> Bool {
        var found: [(JSONObject, Int)] = []
        var wanted: [UInt8]? = item
        var size = reply.bytes
        while let prefix = wanted, found.count < count, size < Self.requestedBytesMax {
            guard
                let row = try row(
                    """
                    SELECT * FROM node_message
                    WHERE substr(hash, 1, 8) = ? AND substr(hash, 1, 10) = ? AND conversation = ? AND author = ?
                    ORDER BY arrival DESC LIMIT 1
                    """,
                    [
                        Data(prefix.prefix(8)), Data(prefix), request.conversation.text, request.to.user.text,
                    ]), let entry = try entries([row]).first
            else { break }
            guard entry.arrival > floor else {
                reply.holes[prefix] = .notAllowed
                break
            }
            guard let body = entry.body else {
                // What this node only keeps no longer, the author's device may still have.
                guard let hole = entry.hole, hole == .deleted || hole == .erased else { break }
                reply.holes[prefix] = hole == .deleted ? .deleted : .erased
                break
            }
            let message = try JSONObject.parse(body, limits: JSONLimits(bytes: ProtocolObject.bytesMax))
            guard message["device"]?.string == request.to.device.text else { break }
            found.append((message, body.count))
            size += body.count
            wanted = message["prev"]?.string.flatMap { MessageHash(base64: $0) }.map { Array($0.bytes.prefix(10)) }
        }
        for (message, bytes) in found.reversed() { reply.add(message, bytes: bytes) }
        return !found.isEmpty || reply.holes[item] != nil
    }

    // MARK: Onwards

    private func passOn(_ request: MessageRequest, _ left: [[UInt8]], hub: NodeID?, from source: Party) throws {
        let next: Party
        if let hub, hub != context.id, source != .node(hub), request.to.user.node != context.id {
            try requirePeer(hub)
            next = .node(hub)
        } else {
            next = try listedHop(towards: request.to)
        }
        guard next != source else { throw ProtocolError(.nodeUnreachable, "There is no way on from here.") }
        try ensureIntroduced(request.from.user, to: next)
        try enqueueAnew(left == request.items ? request.object : request.leaving(left), to: next)
    }

    /// - Throws: `ProtocolError` 2003 for a device of this node that is on no list.
    private func listedHop(towards device: DeviceAddress) throws -> Party {
        if device.user.node == context.id, try signingKey(of: device.user, device.device) == nil {
            throw ProtocolError(.userNotFound, "The device is not listed here.")
        }
        return try hop(towards: device.user, device.device)
    }

    /// Over the channel's node where the device's node is no peer.
    private func hop(towards device: DeviceAddress, via hub: NodeID?) throws -> Party {
        do {
            return try listedHop(towards: device)
        } catch let error as ProtocolError where error.code == .nodeUnreachable {
            guard let hub, hub != context.id else { throw error }
            try requirePeer(hub)
            return .node(hub)
        }
    }

    private func send(_ reply: Reply, to request: MessageRequest, via hub: NodeID?) throws {
        guard !reply.messages.isEmpty || !reply.holes.isEmpty else { return }
        let next = try hop(towards: request.from, via: hub)
        try ensureIntroduced(request.to.user, to: next)
        for (number, messages) in reply.messages.enumerated() {
            let isLast = number == reply.messages.count - 1
            try sendOn(answer(messages, isLast ? reply.holes : [:], to: request, via: hub), to: next)
        }
        if reply.messages.isEmpty { try sendOn(answer([], reply.holes, to: request, via: hub), to: next) }
    }

    private func answer(
        _ messages: [JSONObject], _ holes: [[UInt8]: HoleReason], to request: MessageRequest, via hub: NodeID?
    ) -> JSONObject {
        MessageAnswer.unsigned(
            from: .node(context.id), to: request.from, author: request.to, messages: messages, holes: holes, via: hub,
            at: now)
    }

    func take(_ answer: MessageAnswer, from source: Party) throws {
        switch answer.from {
        case .node: guard case .node = source else { throw Self.notItsOwn }
        case .device: guard comes(from: answer.author, over: source, via: answer.via) else { throw Self.notItsOwn }
        }
        try forward(answer.object, to: answer.to, of: answer.author.user, via: answer.via, from: source)
    }

    func take(_ resealed: ResealedMessage, from source: Party) throws {
        guard comes(from: resealed.from, over: source, via: resealed.via) else { throw Self.notItsOwn }
        try forward(resealed.object, to: resealed.to, of: resealed.from.user, via: resealed.via, from: source)
    }

    private static let notItsOwn = ProtocolError(.insufficientPermissions, "A device answers for itself only.")

    private func forward(
        _ object: JSONObject, to device: DeviceAddress, of author: UserID, via hub: NodeID?, from source: Party
    ) throws {
        let next = try hop(towards: device, via: hub)
        guard next != source else { throw ProtocolError(.nodeUnreachable, "There is no way on from here.") }
        try ensureIntroduced(author, to: next)
        try sendOn(object, to: next)
    }

    /// Such texts go like texts, not ahead of them.
    private func sendOn(_ object: JSONObject, to party: Party) throws {
        let body = object.canonicalBytes()
        try enqueue(
            NewItem(
                id: ItemID(SHA256Digest.of(SystemRandom().bytes(32))), kind: .object, body: body, destination: party,
                priority: .channelText, created: now, lifetime: Message.defaultLifetime))
    }
}
