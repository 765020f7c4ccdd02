import GodwitBatch
import GodwitProtocol

/// Exchanges as the gatekeeper lets them through, whatever carries them, and counted.
struct GuardedExchange: ExchangeService {
    let inner: any ExchangeService
    let gate: Gatekeeper

    func openExchange() async -> any ExchangeSession { Session(inner: await inner.openExchange(), gate: gate) }

    private struct Session: ExchangeSession {
        let inner: any ExchangeSession
        let gate: Gatekeeper

        var party: Party? { get async { await inner.party } }

        func receive(_ record: [UInt8]) async throws {
            // Whoever has been recognised does not wait for what others forge.
            if await inner.party == nil { try gate.frame() } else { try gate.checkOpen() }
            do {
                try await inner.receive(record)
                NodeMetrics.frame("in", bytes: record.count)
            } catch let error as ProtocolError {
                NodeMetrics.refusedFrame(error.code)
                if error.code == .invalidCredentials { gate.forgedFrame() }
                throw error
            }
        }

        func keep(_ beginning: [UInt8]) async { await inner.keep(beginning) }
        func next() async throws -> [UInt8]? { counted(try await inner.next()) }
        func nextEarly() async throws -> [UInt8]? { counted(try await inner.nextEarly()) }

        private func counted(_ record: [UInt8]?) -> [UInt8]? {
            if let record { NodeMetrics.frame("out", bytes: record.count) }
            return record
        }
    }
}
