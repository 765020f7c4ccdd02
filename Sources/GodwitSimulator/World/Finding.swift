/// Something that should not be.
public struct Finding: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Somebody who may read a message has not, and nobody was told why.
        case lost
        /// As `lost`, but its reader was told that something could not be used.
        case unreadable
        /// Somebody has read what was not for him.
        case leaked
        case doubled
        /// Nobody has written it.
        case invented
        case disordered
        /// A gap is shown though nothing is missing that anybody was told of.
        case gap
        /// A message is still waiting though all links are up.
        case stuck
        /// A warning for which the plan gives no cause.
        case warned
        /// Something failed that should not.
        case failed
        /// The world never comes to rest.
        case restless
        /// A text was seen in the clear.
        case clear
        /// A table has more rows than its bound.
        case unbounded
        /// The thief has decrypted what he must not.
        case stolen
    }

    public var kind: Kind
    public var text: String

    public var description: String { "\(kind.rawValue): \(text)" }
}
