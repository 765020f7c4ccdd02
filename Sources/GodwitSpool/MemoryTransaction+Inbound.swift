public import GodwitProtocol

extension MemoryTransaction {
    public func commitInbound(_ number: FrameNumber, from peer: Party, digest: [UInt8]) throws -> InboundOutcome {
        try FrameLimits.check(number, digest: digest)
        return try change(number.incarnation, of: peer) { ledger in
            guard number.number >= ledger.floor else { return .repeated }
            if let known = ledger.digests[number.number] { return known == digest ? .repeated : .conflict }
            guard ledger.digests.count < SpoolConfiguration.unsettledMax else { throw FrameLimits.unsettled }
            ledger.digests[number.number] = digest
            return .fresh
        }
    }

    public func inbound(from peer: Party) throws -> [InboundState] {
        (store.ledgers[peer] ?? []).map { ledger in
            let frames = ledger.digests.sorted { $0.key < $1.key }
            return InboundState(
                incarnation: ledger.incarnation, ranges: NumberRanges.joining(frames.map(\.key)),
                floor: ledger.floor, digests: frames.map(\.value))
        }
    }

    public func settleInbound(below floor: UInt64, incarnation: UInt32, from peer: Party) throws {
        let floor = min(floor, FrameLimits.numberMax)
        try change(incarnation, of: peer) { ledger in
            guard floor > ledger.floor else { return }
            ledger.floor = floor
            ledger.digests = ledger.digests.filter { $0.key >= floor }
        }
    }

    /// Changes the ledger of one incarnation, made if needed; the oldest goes when there are too many.
    private func change<Value>(
        _ incarnation: UInt32, of peer: Party, _ body: (inout MemoryStore.Ledger) throws -> Value
    ) throws -> Value {
        var ledgers = store.ledgers[peer] ?? []
        let index = ledgers.firstIndex { $0.incarnation == incarnation } ?? ledgers.count
        if index == ledgers.count { ledgers.append(MemoryStore.Ledger(incarnation: incarnation)) }
        let value = try body(&ledgers[index])
        store.setLedgers(peer, ledgers.suffix(SpoolConfiguration.incarnationsMax))
        return value
    }
}
