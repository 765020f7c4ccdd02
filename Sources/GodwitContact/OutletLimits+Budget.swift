import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool

extension OutletLimits {
    /// Header and seal of a frame, at most.
    private static var sealMax: Int { 19 + 48 }
    /// A smaller rest of a budget is not worth a frame.
    private static var leastFrame: Int { 128 }

    /// Payload of the largest frame that a budget leaves room for; nil: no budget.
    var largest: ByteCount? {
        [most, mostForOthers].compactMap(\.self).min().map { ByteCount(max($0.bytes - Self.sealMax, 0)) }
    }

    /// What may go into the next frame: everything as long as others than urgent items may take a whole frame, then
    /// urgent items alone, and when none of them waits the others up to what is left for them.
    ///
    /// - Returns: nil if what waits must not go; limits whose `largest` holds for the frame.
    func affording(
        _ queues: [PriorityClass: QueueSummary]
    ) -> (queues: [PriorityClass: QueueSummary], limits: OutletLimits)? {
        guard most != nil || mostForOthers != nil else { return (queues, self) }
        let forAll = (most?.bytes ?? .max >> 1) - Self.sealMax
        let forOthers = min(forAll, (mostForOthers?.bytes ?? .max >> 1) - Self.sealMax)
        let urgent = queues.filter { $0.key.isUrgent }
        let alone = !urgent.isEmpty && forOthers < frame.bytes
        let room = min(frame.bytes, alone ? forAll : forOthers)
        guard room >= Self.leastFrame else { return nil }
        var limits = self
        limits.frame = ByteCount(room)
        if alone { limits.mostForOthers = nil }
        return (alone ? urgent : queues, limits)
    }

    /// Takes a record off what is left.
    /// - Returns: false if there is not so much; nothing is taken then.
    mutating func take(_ bytes: Int, urgent: Bool) -> Bool {
        let left = min(most?.bytes ?? .max, urgent ? .max : mostForOthers?.bytes ?? .max)
        guard bytes <= left else { return false }
        if let most { self.most = ByteCount(most.bytes - bytes) }
        // The reserve is the part of the whole that others may not touch, so what the urgent take lessens theirs too.
        if let mostForOthers { self.mostForOthers = ByteCount(max(mostForOthers.bytes - bytes, 0)) }
        return true
    }
}
