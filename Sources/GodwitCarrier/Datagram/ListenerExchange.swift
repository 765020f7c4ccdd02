import GodwitBatch
import GodwitProtocol
import Synchronization

/// One exchange at the listening end: records go to the session as they come, its answer goes out beside.
struct ListenerExchange: Sendable {
    /// The request has come to its end.
    private final class Ending: Sendable {
        let isReached = Mutex(false)
    }

    let conversation: DatagramConversation
    let bodyMax: Int
    /// The first record was accepted.
    let onAccepted: @Sendable () -> Void

    /// Until the answer was acknowledged, or the caller is gone.
    /// - Throws: what the session throws; `ProtocolError` for a request that is none.
    func run(_ service: any ExchangeService) async throws {
        let session = await service.openExchange()
        let (accepted, acceptance) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let ending = Ending()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { acceptance.finish() }
                try await receive(session) { isWhole in
                    ending.isReached.withLock { $0 = isWhole }
                    acceptance.yield()
                }
            }
            group.addTask {
                for await _ in accepted {
                    if try await !answer(session, early: true) { return }
                }
                guard ending.isReached.withLock({ $0 }) else { return }
                if try await answer(session, early: false) { conversation.with { stream, _ in stream.finish() } }
            }
            try await group.waitForAll()
        }
        await conversation.wait { stream, _ in stream.state != .open }
        try Task.checkCancellation()
    }

    /// - Parameter onBatch: called after each batch of records that was there at once, and at the end.
    private func receive(_ session: any ExchangeSession, onBatch: (_ isWhole: Bool) -> Void) async throws {
        var reader = ExchangeReader()
        var size = 0
        var count = 0
        while true {
            await conversation.wait { stream, _ in stream.hasNews }
            try Task.checkCancellation()
            let (bytes, isEnd, state) = conversation.with { stream, now in
                (stream.read(at: now), stream.input.isRead, stream.state)
            }
            size += bytes.count
            guard size <= bodyMax else {
                throw ProtocolError.tooLarge(
                    "The body of an exchange is too large.", actual: size, firstRefused: bodyMax + 1)
            }
            for record in try reader.feed(bytes) {
                try await session.receive(record)
                count += 1
                if count == 1 { onAccepted() }
            }
            let beginning = reader.beginning
            if !bytes.isEmpty, !beginning.isEmpty { await session.keep(beginning) }
            if isEnd {
                try reader.end()
                return onBatch(true)
            }
            if count > 0, !bytes.isEmpty { onBatch(false) }
            // The caller is gone; what was received stays.
            if bytes.isEmpty, case .failed = state { return }
        }
    }

    /// Writes the answer as far as there is one, each record when the link is about to need it.
    /// - Returns: false where the caller is gone.
    private func answer(_ session: any ExchangeSession, early: Bool) async throws -> Bool {
        while try await conversation.waitUntilHungry() {
            guard let record = try await early ? session.nextEarly() : session.next() else { return true }
            guard (1...Exchange.recordMax).contains(record.count) else {
                throw ProtocolError(.internalError, "A record of the answer has a size that none may have.")
            }
            conversation.with { stream, now in stream.write(ExchangeWriter.frame(record), at: now) }
        }
        return false
    }
}
