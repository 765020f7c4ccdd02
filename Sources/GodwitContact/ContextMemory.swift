import GodwitBatch
import GodwitProtocol
import GodwitSpool

/// The contexts that a peer knows of frames to it, kept between frames so that they are read from the store only once.
struct ContextMemory: Sendable {
    private let peer: Party
    private let incarnation: UInt32
    /// Number of the frame that may be built from it.
    private let next: UInt64
    private(set) var book: ContextBook

    /// - Returns: `memory` where it stands for just this frame, else what the store says.
    static func current(
        _ memory: ContextMemory?, for number: FrameNumber, to peer: Party, in transaction: some SpoolTransaction
    ) throws -> ContextMemory {
        if let memory, memory.peer == peer, memory.incarnation == number.incarnation, memory.next == number.number {
            return memory
        }
        var book = ContextBook()
        let first = number.number > ContextBook.reach ? number.number - ContextBook.reach : 1
        for kept in try transaction.contexts(to: peer, from: first) {
            book.note(try FrameContexts(parsing: kept.bytes), of: kept.number)
        }
        return ContextMemory(peer: peer, incarnation: number.incarnation, next: number.number, book: book)
    }

    /// What the next frame may go on from: not from frames that another path carries, and where there is a budget from
    /// none that is not acknowledged, for it may pass one over, and what goes on from that would come before it.
    func known(
        _ number: FrameNumber, beside held: [FrameSummary], on path: OutletPath, _ limits: OutletLimits
    ) -> KnownChains {
        let doubtful = held.filter { limits.most != nil || $0.path != path.name }
        return KnownChains(book, for: number.number, except: Set(doubtful.map(\.number.number)))
    }

    /// Notes the frame that was built, in the store as well.
    func noting(_ contexts: FrameContexts, in transaction: some SpoolTransaction) throws -> ContextMemory {
        var book = book
        if let bytes = contexts.bytes {
            try transaction.keepContexts(bytes, of: next, to: peer)
            book.note(contexts, of: next)
        }
        return ContextMemory(peer: peer, incarnation: incarnation, next: next + 1, book: book)
    }
}

extension Party {
    /// Contexts are kept between nodes only: a device has its home node near.
    var keepsContexts: Bool {
        if case .node = self { true } else { false }
    }
}

extension SpoolTransaction {
    /// Contexts of frames to a peer, as `OpenedFrame.read` takes them.
    func contexts(to peer: Party, of numbers: [UInt64]) throws -> [UInt64: FrameContexts] {
        guard let first = numbers.min() else { return [:] }
        var found: [UInt64: FrameContexts] = [:]
        for kept in try contexts(to: peer, from: first) where numbers.contains(kept.number) {
            found[kept.number] = try FrameContexts(parsing: kept.bytes)
        }
        return found
    }
}
