import GodwitProtocol

/// A contact failed, and then the store too: both are told, the contact's failure first.
public struct SyncFailure: Error, CustomStringConvertible {
    /// Why the contact ended.
    public let contact: any Error
    /// Why the outbox does not show what was handed over before.
    public let afterwards: any Error

    public var description: String { "\(contact); afterwards: \(afterwards)" }

    /// A failure of the protocol stays one, so that whoever decides by its code still can; the other stands in
    /// `details.afterwards`.
    static func joining(_ contact: any Error, _ afterwards: any Error) -> any Error {
        guard var failure = contact as? ProtocolError else {
            return SyncFailure(contact: contact, afterwards: afterwards)
        }
        failure.details["afterwards"] = .string((afterwards as? ProtocolError)?.message ?? "\(afterwards)")
        return failure
    }
}
