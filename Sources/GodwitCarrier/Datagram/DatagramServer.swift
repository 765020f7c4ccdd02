import GodwitBatch
import GodwitProtocol
import Logging

/// Serves the exchanges that come in over one socket or line.
struct DatagramServer: Sendable {
    let limits: ListenerLimits
    let service: any ExchangeService
    let logger: Logger

    /// Serves until cancelled or stopped; callers of exchanges that run are told then.
    ///
    /// - Parameter attach: called once; what comes goes to the table from then on, and `stop` ends this.
    func run(
        over path: any DatagramPath,
        attach: (_ table: ListenerTable, _ stop: @escaping @Sendable () -> Void) async -> Void
    ) async {
        let (opened, opening) = AsyncStream.makeStream(
            of: ListenerTable.Opened.self, bufferingPolicy: .bufferingOldest(limits.exchangesMax))
        let table = ListenerTable(limits, path) { opened in
            if case .enqueued = opening.yield(opened) { return true }
            return false
        }
        await attach(table) { opening.finish() }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await exchange in opened {
                    group.addTask { await serve(exchange, table) }
                }
                group.cancelAll()
            }
        } onCancel: {
            opening.finish()
        }
    }

    private func serve(_ opened: ListenerTable.Opened, _ table: ListenerTable) async {
        let exchange = ListenerExchange(
            conversation: opened.conversation, bodyMax: limits.bodyMax, onAccepted: { table.accept(opened.key) })
        do {
            try await exchange.run(service)
        } catch let error as ProtocolError {
            opened.conversation.with { stream, _ in stream.close(error) }
        } catch is CancellationError {
            opened.conversation.with { stream, _ in stream.close(Self.stopping) }
        } catch {
            // Its text stays here: it may hold what the caller should not read.
            logger.error("an exchange failed on this node", metadata: ["kind": "\(type(of: error))"])
            opened.conversation.with { stream, _ in stream.close(Self.failure) }
        }
        table.end(opened.key)
    }

    private static let failure = ProtocolError(
        .internalError, "The node could not take the exchange.", hint: "It is retried; records handed over stay valid.")
    private static let stopping = ProtocolError(
        .maintenanceMode, "The node stops.", hint: "It is retried; records handed over stay valid.")
}
