import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// Answers why an item is still here, and what will move it: for each destination's copy.
struct SpoolWhy {
    let core: NodeCore
    let links: LinkBoard
    let presence: PresenceBoard

    /// What the store says of one copy.
    private struct Copy: Sendable {
        var summary: ItemSummary
        var place: QueuePlace
        var estimate: WireEstimate
        var item: SpoolItem?
        /// Sealed bytes of unacknowledged frames; for an item in a frame those up to its own.
        var inFlight: ByteCount
        /// Frames towards the destination before the item's.
        var framesAhead: Int
    }

    /// - Throws: `ProtocolError` 2000 for an item that is not known here.
    func answer(_ name: String) async throws -> JSONObject {
        let (id, copies, gone) = try await core.spool.read { transaction in
            guard let prefix = Base32.decode(name), let id = try transaction.ids(beginning: prefix).first else {
                throw ProtocolError(
                    .invalidMessageFormat, "No such item is known here.",
                    hint: "It never came here, or left longer ago than duplicates are remembered. "
                        + "See `godwit spool list`.")
            }
            let copies = try transaction.summaries(of: id).compactMap { try Self.copy($0, in: transaction) }
            let gone = try transaction.departures(of: id)
            return (id, copies, gone)
        }
        var explained: [JSONValue] = []
        for copy in copies { explained.append(.object(try await explain(copy))) }
        return [
            "item": .string(name), "id": .string(Hex.encode(id.bytes)), "time": .string(core.time.now().description),
            "copies": .array(explained), "gone": .array(gone.map { .object(Self.object($0)) }),
        ]
    }

    private static func object(_ departure: Departure) -> JSONObject {
        let newer = departure.successor.map { Base32.encode($0.bytes.prefix(10)) }
        let how =
            newer.map { "never sent, for the newer item \($0) took its place" }
            ?? (departure.state == .expired ? "expired: its lifetime ended here" : "taken over by the destination")
        let when = departure.at.map { " at \($0)" } ?? ", nobody noted when"
        return [
            "destination": .string(departure.destination.text), "state": .string(departure.state.rawValue),
            "at": departure.at.map { .string($0.description) } ?? .null,
            "superseded_by": newer.map { .string($0) } ?? .null,
            "words": .string("\(departure.destination.text): \(how)\(when)."),
        ]
    }

    private static func copy(_ summary: ItemSummary, in transaction: SQLiteTransaction) throws -> Copy? {
        let party = summary.destination
        guard let place = try transaction.queuePlace(of: summary.id, for: party) else { return nil }
        let held = try transaction.unacknowledged(to: party)
        let before = held.prefix { $0.number != place.frame }
        let upTo = place.frame == nil ? held[...] : held.prefix(before.count + 1)
        let inFlight = ByteCount(upTo.reduce(0) { $0 + $1.bytes.count + WireEstimate.seal })
        let company = try transaction.waiting(
            for: party, class: summary.priority, count: WireEstimate.companyMax, bytes: ByteCount(32_768))
        let own = try transaction.waitingInOrder(for: party, after: place.row - 1, count: 1, bytes: .zero)
            .first { $0.row == place.row }
        return Copy(
            summary: summary, place: place, estimate: WireEstimate(of: own, among: company, runs: false),
            item: own, inFlight: inFlight, framesAhead: before.count)
    }

    private func explain(_ copy: Copy) async throws -> JSONObject {
        let summary = copy.summary
        var object = SpoolListing.object(summary)
        let now = core.time.now()
        object["expires_at"] = .string(now.adding(milliseconds: summary.lifetime - summary.age).description)
        object["ahead"] = [
            "items": .integer(Int64(copy.place.itemsAhead)), "bytes": .integer(Int64(copy.place.bytesAhead.bytes)),
            "frames": .integer(Int64(copy.framesAhead)), "frame_bytes": .integer(Int64(copy.inFlight.bytes)),
        ]
        object["frame"] =
            copy.place.frame.map {
                ["incarnation": .integer(Int64($0.incarnation)), "number": .integer(Int64(clamping: $0.number))]
            } ?? .null
        var holds: [HoldReport] = []
        if copy.place.frame == nil, await links.passesOver(copy.place.row, for: summary.destination) {
            holds.append(.fitsNoFrame)
        }
        let tierHold = await tierHold(copy)
        if let tierHold { holds.append(tierHold) }
        switch summary.destination {
        case .node(let node):
            let outlook = try await links.outlook(for: node, urgent: summary.priority.isUrgent)
            if let frame = copy.place.frame { holds.append(.unacknowledged(frame, sent: outlook.lastContact)) }
            holds += outlook.holds
            object["profile"] = .string(outlook.profile.name)
            add(copy, outlook, at: now, to: &object)
            // Nobody knows when the link will be better.
            if tierHold != nil { object["forecast"] = .null }
        case .device(let user, _):
            holds.append(await presence.isConnected(user) ? .deviceConnected : .deviceAway)
            object["forecast"] = .null
            object["cost"] = .null
        }
        if holds.isEmpty { holds = [HoldReport("due", "Nothing holds it: it is next when its turn comes.")] }
        object["holds"] = .array(holds.map { .object($0.object) })
        return object
    }

    private func tierHold(_ copy: Copy) async -> HoldReport? {
        guard copy.place.frame == nil, let item = copy.item else { return nil }
        return await links.tierHold(item)
    }

    private func add(_ copy: Copy, _ outlook: LinkOutlook, at now: Timestamp, to object: inout JSONObject) {
        let frame = FrameSizing.payload(up: outlook.profile)
        let ahead = copy.inFlight + copy.estimate.wire(copy.place.bytesAhead, frame: frame)
        if copy.place.frame != nil {
            object["forecast"] = outlook.forecast(.zero, behind: copy.inFlight, at: now)
            object["cost"] = .object(outlook.cost(copy.inFlight))
        } else {
            object["forecast"] = outlook.forecast(copy.estimate.item, behind: ahead, at: now)
            object["cost"] = .object(outlook.cost(copy.estimate.item))
        }
    }
}
