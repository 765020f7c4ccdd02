import GodwitBatch

/// Gathers the objects of broadcasts, within a fixed memory that each source has a part of its own in.
///
/// Nothing here proves who sent a datagram; the records' seals do, later. So whoever sends from many addresses, or under
/// another's, can take up room and no more: a source or an object that has brought something new from somebody known is
/// never dropped for one that has not, unless it has been silent for long.
struct BroadcastReceiver: Sendable {
    struct Limits: Sendable, Hashable {
        /// Addresses that are listened to at the same time.
        var sourcesMax = 8
        /// Unfinished objects of one source.
        var objectsMax = 8
        /// Bytes of all symbols that are kept of one source: more than one object of the largest size needs.
        var heldMax = 2_097_152
        /// Finished objects that are remembered of one source, so that their repetitions cost nothing.
        var finishedMax = 64
        /// After so long without a word what is proven gives way, too.
        var silence = Duration.seconds(600)
    }

    /// A record, and the object that it is from.
    struct Found: Sendable, Hashable {
        var source: String
        var id: UInt64
        var bytes: [UInt8]
    }

    private struct Heard: Sendable {
        /// Order of the last word of it.
        var turn: Int
        var at: Duration
        var isProven = false
    }

    private struct Object: Sendable {
        var assembly: BroadcastAssembly
        var heard: Heard
    }

    private struct Source: Sendable {
        var objects: [UInt64: Object] = [:]
        /// Oldest first.
        var finished: [UInt64] = []
        var heard: Heard
        var held: Int { objects.values.reduce(0) { $0 + $1.assembly.held } }
    }

    private let limits: Limits
    private var sources: [String: Source] = [:]
    private var turn = 0
    private(set) var counts = BroadcastCounts()

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Memory that all symbols take, about.
    var held: Int { sources.values.reduce(0) { $0 + $1.held } }
    var objectCount: Int { sources.values.reduce(0) { $0 + $1.objects.count } }

    /// Takes a datagram and returns the records that it completes.
    mutating func take(_ bytes: [UInt8], from name: String, at now: Duration) -> [Found] {
        counts.datagrams += 1
        turn += 1
        guard let datagram = BroadcastDatagram(bytes), var source = admit(name, at: now) else {
            counts.refused += 1
            return []
        }
        let records = take(datagram, in: &source, at: now)
        sources[name] = source
        return records.map { Found(source: name, id: datagram.id, bytes: $0) }
    }

    /// A record of the object brought something new from somebody known.
    mutating func prove(_ found: Found) {
        sources[found.source]?.heard.isProven = true
        sources[found.source]?.objects[found.id]?.heard.isProven = true
    }

    /// A record of the object could not be kept: its next round is taken as if it were the first.
    mutating func forget(_ found: Found) {
        if sources[found.source]?.objects.removeValue(forKey: found.id) != nil { counts.incomplete += 1 }
        sources[found.source]?.finished.removeAll { $0 == found.id }
    }

    // MARK: Room

    /// The least recently heard of those that may give way.
    private func givesWay<Key>(_ all: [(key: Key, heard: Heard)], at now: Duration) -> Key? {
        let strangers = all.filter { !$0.heard.isProven }
        let choice = strangers.isEmpty ? all.filter { now - $0.heard.at >= limits.silence } : strangers
        return choice.min { $0.heard.turn < $1.heard.turn }?.key
    }

    private mutating func admit(_ name: String, at now: Duration) -> Source? {
        var heard = Heard(turn: turn, at: now)
        // Out of the table while it changes, so that nothing is copied.
        if var known = sources.removeValue(forKey: name) {
            heard.isProven = known.heard.isProven
            known.heard = heard
            return known
        }
        if sources.count >= limits.sourcesMax {
            guard let oldest = givesWay(sources.map { ($0.key, $0.value.heard) }, at: now) else { return nil }
            counts.incomplete += sources.removeValue(forKey: oldest)?.objects.count ?? 0
        }
        return Source(heard: heard)
    }

    private mutating func take(_ datagram: BroadcastDatagram, in source: inout Source, at now: Duration) -> [[UInt8]] {
        let (id, limits) = (datagram.id, limits)
        guard !source.finished.contains(id) else { return [] }
        if source.objects[id] == nil {
            guard makeRoom(in: &source, at: now, until: { $0.objects.count < limits.objectsMax }) else {
                counts.refused += 1
                return []
            }
        }
        var object =
            source.objects[id]
            ?? Object(assembly: BroadcastAssembly(datagram.layout), heard: Heard(turn: turn, at: now))
        guard object.assembly.layout == datagram.layout else {
            counts.refused += 1
            return []
        }
        object.heard = Heard(turn: turn, at: now, isProven: object.heard.isProven)
        source.objects[id] = nil
        let records = object.assembly.add(datagram)
        if object.assembly.isWhole {
            finish(object, id, in: &source)
        } else if makeRoom(in: &source, at: now, until: { $0.held + object.assembly.held <= limits.heldMax }) {
            source.objects[id] = object
        } else {
            counts.incomplete += 1
        }
        return records
    }

    /// Drops objects of the source until there is room; false: none may give way.
    private mutating func makeRoom(in source: inout Source, at now: Duration, until isEnough: (Source) -> Bool) -> Bool
    {
        while !isEnough(source) {
            guard let oldest = givesWay(source.objects.map { ($0.key, $0.value.heard) }, at: now) else { return false }
            source.objects[oldest] = nil
            counts.incomplete += 1
        }
        return true
    }

    private mutating func finish(_ object: Object, _ id: UInt64, in source: inout Source) {
        // Somebody mixed other symbols in. Its next round may come through.
        guard BroadcastObject.id(of: object.assembly.bytes) == id else {
            counts.damaged += 1
            return
        }
        counts.objects += 1
        source.finished.append(id)
        if source.finished.count > limits.finishedMax { source.finished.removeFirst() }
    }
}
