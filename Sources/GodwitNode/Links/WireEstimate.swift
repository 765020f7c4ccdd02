import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// How many bytes items will take on the wire, from the real encoder: what waits is written into a trial frame.
struct WireEstimate: Sendable {
    /// Bytes of a frame before sealing for each byte of the bodies in it.
    let ratio: Double
    /// What the item in question adds to a frame in which its company goes; without company the whole frame.
    let item: ByteCount

    /// Items that keep it company in the trial.
    static let companyMax = 24
    /// Header and seal of a frame.
    static let seal = 60

    /// - Parameters:
    ///   - item: nil where only the ratio is asked for.
    ///   - company: items that wait for the same destination.
    init(of item: SpoolItem?, among company: [SpoolItem], runs: Bool) {
        let others = company.filter { $0.row != item?.row }.prefix(Self.companyMax)
        func size(_ items: [SpoolItem]) -> Int? {
            let frame = Frame(floor: 1, items: items.map(\.batchItem), hasMore: true)
            guard let packed = try? FramePacker.pack(frame, limit: ByteCount(FrameLimits.frameMax), runs: runs),
                packed.count == items.count
            else { return nil }
            return packed.bytes.count
        }
        let all = Array(others) + (item.map { [$0] } ?? [])
        let bodies = all.reduce(0) { $0 + $1.body.count }
        let whole = size(all)
        ratio = whole.map { Double($0) / Double(max(bodies, 1)) } ?? 0.6
        guard let item else {
            self.item = .zero
            return
        }
        if let whole, let without = size(Array(others)) {
            self.item = ByteCount(max(whole - without, 1))
        } else {
            self.item = ByteCount(size([item]) ?? item.body.count)
        }
    }

    /// Bytes on the wire of bodies of so many bytes, seals of their frames included.
    func wire(_ bodies: ByteCount, frame: ByteCount) -> ByteCount {
        guard bodies > .zero else { return .zero }
        let inside = Int((Double(bodies.bytes) * ratio).rounded(.up))
        return ByteCount(inside + (inside / max(frame.bytes, 1) + 1) * Self.seal)
    }
}

extension SpoolItem {
    var batchItem: BatchItem {
        let kind: BatchItem.Kind =
            switch self.kind {
            case .message: .message
            case .object: .object
            case .receipt: .receipt
            }
        return BatchItem(
            kind: kind, body: body, created: created, lifetime: lifetime, age: age, priority: priority)
    }
}
