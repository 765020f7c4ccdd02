/// The inside of one sealed frame (D-7, D-8): independent of every other frame.
public struct Frame: Hashable, Sendable {
    /// The lowest frame number of this incarnation that the sender still keeps; 0 if it keeps none. The receiver may
    /// forget lower numbers.
    public var floor: UInt64
    /// What the sender has committed of the receiver's frames.
    public var acknowledgements: [Acknowledgement]
    public var items: [BatchItem]
    /// The sender has more for the receiver than this frame holds.
    public var hasMore: Bool
    /// Incarnations of the receiver of which the sender lacks the contexts that a frame referred to.
    public var forgotten: [UInt32]
    /// Sealed frames of the receiver of which the sender has the beginning; in loose frames only.
    public var partials: [PartialFrame]

    public init(
        floor: UInt64 = 0, acknowledgements: [Acknowledgement] = [], items: [BatchItem] = [], hasMore: Bool = false,
        forgotten: [UInt32] = [], partials: [PartialFrame] = []
    ) {
        self.forgotten = forgotten
        self.partials = partials
        self.floor = floor
        self.acknowledgements = acknowledgements
        self.items = items
        self.hasMore = hasMore
    }
}

/// Limits of a frame. What lies beyond is refused on both ends.
public enum FrameLimits {
    /// Bytes of an encoded frame: a Noise message has at most 65,535, its key and tag take 48, and 16 are kept.
    public static let frameMax = 65_471
    public static let itemsMax = 1024
    /// Bytes of all bodies together.
    public static let bodiesMax = 1_048_576
    /// A message has at most 65,535 bytes without `recipients`, which come in parts of at most 32 KiB (D-13).
    public static let messageMax = 98_303
    public static let objectMax = 131_072
    public static let acknowledgementsMax = 16
    /// Sealed frames that one frame says to have begun to come.
    public static let partialsMax = 16
    /// Ranges of one acknowledgement.
    public static let rangesMax = 1024
    /// Bytes of the columns after decompression: the bodies, and 64 KiB.
    static let columnsMax = bodiesMax + 65_536
    /// Seconds.
    static let ageMax: Int64 = 2_147_483_647
    /// 9999-12-31T23:59:59.999Z and 0000-01-01T00:00:00.000Z.
    static let times: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}
