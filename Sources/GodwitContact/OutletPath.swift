public import GodwitProtocol
public import GodwitSpool

/// One of several links to a peer, as its outlet sees it: frames belong to the path for which they were built, and only
/// that path sends them again. What is acknowledged over any path has left all of them.
public struct OutletPath: Sendable, Hashable {
    /// Everything, over the only path.
    public static let main = OutletPath()

    /// 1 to 32 characters.
    public var name: String
    /// What new frames of it may hold.
    public var classes: Set<PriorityClass>

    public init(
        name: String = OutboundFrame.mainPath, classes: Set<PriorityClass> = Set(PriorityClass.allCases)
    ) {
        self.name = name
        self.classes = classes
    }

    /// Frames of one path that are not acknowledged; beyond them none is built.
    static var framesMax: Int { 256 }
    /// The same of all paths to a peer, so that an acknowledgement names all others in `FrameLimits.rangesMax` ranges.
    static var allFramesMax: Int { 1_000 }
    /// A frame so many numbers behind the newest one is taken over by the path that builds that: it has travelled for so
    /// long that the peer keeps digests for its sake alone.
    static var lagMax: UInt64 { 8_192 }
    /// Numbers between the lowest frame that is not acknowledged and the next one. The peer keeps at most
    /// `SpoolConfiguration.unsettledMax` digests.
    static var spanMax: UInt64 { 16_000 }

    func carried(_ queues: [PriorityClass: QueueSummary]) -> [PriorityClass: QueueSummary] {
        queues.filter { classes.contains($0.key) }
    }

    /// Whether another frame may be built while these travel.
    func hasRoom(beside held: [FrameSummary], next: FrameNumber) -> Bool {
        held.count < Self.allFramesMax && held.count(where: { $0.path == name }) < Self.framesMax
            && next.number - min(held.first?.number.number ?? next.number, next.number) < Self.spanMax
    }

    /// Frames of other paths that this one takes over.
    func overdue(among held: [FrameSummary], next: FrameNumber) -> [FrameNumber] {
        held.filter { $0.path != name && $0.number.number + Self.lagMax <= next.number }.map(\.number)
    }
}
