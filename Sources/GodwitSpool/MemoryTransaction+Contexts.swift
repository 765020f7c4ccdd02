public import GodwitProtocol

extension MemoryTransaction {
    public func keepContexts(_ bytes: [UInt8], of number: UInt64, to peer: Party) throws {
        store.setContextsOut(peer, Self.kept(store.contextsOut[peer] ?? [:], with: bytes, of: number))
    }

    public func contexts(to peer: Party, from first: UInt64) throws -> [(number: UInt64, bytes: [UInt8])] {
        (store.contextsOut[peer] ?? [:]).filter { $0.key >= first }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
    }

    public func keepContexts(_ bytes: [UInt8], of number: FrameNumber, from peer: Party) throws {
        var ledgers = store.ledgers[peer] ?? []
        guard let index = ledgers.firstIndex(where: { $0.incarnation == number.incarnation }) else { return }
        ledgers[index].contexts = Self.kept(ledgers[index].contexts, with: bytes, of: number.number)
        store.setLedgers(peer, ledgers)
    }

    public func contexts(
        from peer: Party, incarnation: UInt32, numbers: [UInt64]
    ) throws -> [UInt64: [UInt8]] {
        let ledger = store.ledgers[peer]?.first { $0.incarnation == incarnation }
        return (ledger?.contexts ?? [:]).filter { numbers.contains($0.key) }
    }

    private static func kept(
        _ contexts: [UInt64: [UInt8]], with bytes: [UInt8], of number: UInt64
    ) -> [UInt64: [UInt8]] {
        var contexts = contexts
        contexts[number] = bytes
        let newest = contexts.keys.max() ?? number
        return contexts.filter { $0.key + UInt64(FrameLimits.contextsKept) > newest }
    }
}
