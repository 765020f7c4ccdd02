import GodwitBatch
import GodwitNode
import GodwitProtocol
import Logging

/// What live links are served with.
struct LiveService: Sendable {
    let exchange: any ExchangeService
    /// nil: callers are told nothing between exchanges.
    let queues: (any QueueWatch)?
    let places: LivePlaces
    let bodyMax: Int
    let timeouts: SocketTimeouts
    let logger: Logger

    static let full = ProtocolError(.rateLimited, "Too many live links.", hint: "Use another way, or wait a little.")
    private static let failure = ProtocolError(
        .internalError, "The node could not take the exchange.", hint: "It is retried; records handed over stay valid.")

    /// What the caller is told of an error. Other errors keep their text here: it may hold what nobody should read.
    func told(_ error: any Error) -> ProtocolError {
        if let error = error as? ProtocolError { return error }
        logger.error("an exchange failed on this node", metadata: ["kind": "\(type(of: error))"])
        return Self.failure
    }
}
