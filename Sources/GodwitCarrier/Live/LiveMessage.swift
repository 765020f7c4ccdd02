/// What the answering end of a live link says (docs/protocol.md §8.6).
enum LiveMessage: Sendable, Hashable {
    /// A record of the answer; without bytes its end.
    case record([UInt8])
    /// Why there is no answer, or no more of it: an error object in JSON.
    case error([UInt8])

    /// "Something waits here." No record is so short.
    static let announcement: [UInt8] = [1]
}
