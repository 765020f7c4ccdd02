public import GodwitProtocol

/// What `godwit spool verify` found.
public struct SpoolVerification: Sendable, Hashable {
    /// One sentence each, without payload; empty if all is well.
    public var problems: [String] = []
    /// Copies in custody, distinct bodies, and those of them that are files.
    public var items = 0
    public var bodies = 0
    public var files = 0
    /// Bytes of all distinct bodies.
    public var bytes = ByteCount.zero

    public init() {}

    public var isSound: Bool { problems.isEmpty }
}
