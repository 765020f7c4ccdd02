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
        /// Sealed bytes of unacknowledged frames of the link; for an item in a frame those up to its own.
        var inFlight: ByteCount
        /// Frames of the link before the item's.
        var framesAhead: Int
    }

    /// - Throws: `ProtocolError` 2000 for an item that is not known here.
    func answer(_ name: String) async throws -> JSONObject {
        let peers = try await core.read { try $0.peers() }
        let routes = Dictionary(
            peers.map { (Party.node($0.descriptor.id), LinkPath.carried(by: $0.paths)) }, uniquingKeysWith: { $1 })
        let (id, copies, gone) = try await core.spool.read { transaction in
            guard let prefix = Base32.decode(name), let id = try transaction.ids(beginning: prefix).first else {
                throw SpoolListing.unknownItem
            }
            let copies = try transaction.summaries(of: id).compactMap {
                try Self.copy($0, routes[$0.destination] ?? [:], in: transaction)
            }
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

    /// - Parameter carried: what each link to the destination carries.
    private static func copy(
        _ summary: ItemSummary, _ carried: [String: Set<PriorityClass>], in transaction: SQLiteTransaction
    ) throws -> Copy? {
        let party = summary.destination
        let carriers = carried.filter { $0.value.contains(summary.priority) }
        let classes = carriers.values.reduce(into: Set<PriorityClass>()) { $0.formUnion($1) }
        guard
            let place = try transaction.queuePlace(
                of: summary.id, for: party, among: classes.isEmpty ? Set(PriorityClass.allCases) : classes)
        else { return nil }
        let held = try transaction.inFlight(to: party).filter { frame in
            place.path.map { $0 == frame.path } ?? (carriers.isEmpty || carriers[frame.path] != nil)
        }
        let before = held.prefix { $0.number != place.frame }
        let upTo = place.frame == nil ? held[...] : held.prefix(before.count + 1)
        let inFlight = ByteCount(upTo.reduce(0) { $0 + $1.size.bytes + WireEstimate.seal })
        let company = try transaction.waiting(
            for: party, class: summary.priority, count: WireEstimate.companyMax, bytes: ByteCount(32_768))
        let own = try transaction.waitingItem(inRow: place.row)
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
        switch summary.destination {
        case .node(let node):
            let outlooks = try await links.outlooks(for: node, urgent: summary.priority.isUrgent)
            var paths: [JSONObject] = []
            for path in outlooks
            where copy.place.path.map({ $0 == path.path }) ?? path.classes.contains(summary.priority) {
                paths.append(try await self.object(of: path, for: copy, at: now))
            }
            let expected = paths.min { Self.seconds($0) < Self.seconds($1) }
            for (key, value) in expected?.members ?? [] { object[key] = value }
            object["paths"] = .array(paths.map { .object($0) })
        case .device(let user, _):
            var holds = [await presence.isConnected(user) ? HoldReport.deviceConnected : .deviceAway]
            if copy.place.frame == nil,
                await links.passesOver(copy.place.row, for: summary.destination, path: LinkPath.mainName)
            {
                holds.insert(.fitsNoFrame, at: 0)
            }
            object["holds"] = .array(holds.map { .object($0.object) })
            object["forecast"] = .null
            object["cost"] = .null
        }
        return object
    }

    /// When it will have gone; what has no forecast comes last.
    private static func seconds(_ path: JSONObject) -> Double {
        path["forecast"]?.object?["sent_in_seconds"]?.number ?? .infinity
    }

    /// What holds an item on a link, when it will have gone over it, and at what cost.
    private func object(of path: PathOutlook, for copy: Copy, at now: Timestamp) async throws -> JSONObject {
        let outlook = path.outlook
        var holds: [HoldReport] = []
        if let number = copy.place.frame {
            holds.append(
                path.isByHand
                    ? .onItsWay(number, path: path.path) : .unacknowledged(number, sent: outlook.lastContact))
        } else if await links.passesOver(copy.place.row, for: copy.summary.destination, path: path.path) {
            holds.append(.fitsNoFrame)
        }
        let tierHold = await tierHold(copy, on: path)
        if let tierHold { holds.append(tierHold) }
        holds += outlook.holds
        if holds.isEmpty { holds = [HoldReport("due", "Nothing holds it: it is next when its turn comes.")] }
        let frame = path.isByHand ? FrameSizing.payloadMax : FrameSizing.payload(up: outlook.profile)
        let ahead = copy.inFlight + copy.estimate.wire(copy.place.bytesAhead, frame: frame)
        let isFramed = copy.place.frame != nil
        let own = isFramed ? copy.inFlight : copy.estimate.item
        return [
            "path": .string(path.path), "profile": .string(outlook.profile.name), "by_hand": .bool(path.isByHand),
            "holds": .array(holds.map { .object($0.object) }),
            // Nobody knows when the link will be better.
            "forecast": tierHold != nil
                ? .null : outlook.forecast(isFramed ? .zero : own, behind: isFramed ? copy.inFlight : ahead, at: now),
            "cost": path.isByHand ? .null : .object(outlook.cost(own)),
        ]
    }

    private func tierHold(_ copy: Copy, on path: PathOutlook) async -> HoldReport? {
        guard copy.place.frame == nil, !path.isByHand, let item = copy.item else { return nil }
        return await links.tierHold(item, path: path.path)
    }
}
