public import GodwitProtocol

/// How full the file system is that holds a spool.
public struct DiskUsage: Sendable, Hashable {
    /// Size of the file system.
    public var total: ByteCount
    /// What an ordinary process may still write.
    public var available: ByteCount

    public init(total: ByteCount, available: ByteCount) {
        self.total = total
        self.available = available
    }
}

/// Limits of a spool (G-63). Whoever exceeds one is refused with `ProtocolError` 3003; nothing in custody is evicted.
///
/// The classes `control` and `revocation` may fill a limit to its end; all others stop at 95 % of it, so that
/// acknowledgements and revocations still pass through a full box. The quota of an owner has no such reserve.
public struct SpoolConfiguration: Sendable {
    /// Bytes of all bodies in custody. Copies of one item share their body, and so does whatever has the same large body
    /// (`blobThreshold`); what is shared counts once. Default 512 MiB.
    public var bytesMax = ByteCount(512 << 20)
    /// Copies in custody for one destination. Default 100,000.
    public var itemsMaxPerDestination = 100_000
    /// Bytes of bodies that one owner has in custody, each destination's copy counted. Default 64 MiB.
    public var bytesPerOwner = ByteCount(64 << 20)
    /// The largest body that is taken; a larger one is refused with 2001. Default 16 MiB.
    public var bodyMax = ByteCount(16 << 20)
    /// Share of the disk, in per cent, from which on nothing more is taken. Default 90; the reserve reaches halfway
    /// from there to 100.
    public var diskPercentMax = 90
    /// For how many milliseconds of uptime an id is known again, at least (at most a quarter more). Default 30 days.
    public var duplicateDetection: Int64 = 30 * 86_400_000
    /// Ids that duplicate detection keeps in one tree (`EraBook`).
    var idsPerEra = 16_384
    /// How full the disk with this directory is; nil if that cannot be told, and then the disk sets no limit.
    public var disk: @Sendable (_ directory: String) -> DiskUsage?
    /// Draws an incarnation (D-8), 1 to 2^32 − 1.
    public var drawIncarnation: @Sendable () -> UInt32

    /// What the clock on the wall says; noted for people when custody ends, and judged by nowhere.
    public var wallClock: @Sendable () -> Timestamp = { SystemFile.wallClock }

    public init(
        disk: @escaping @Sendable (_ directory: String) -> DiskUsage? = { DiskUsage(fileSystemOf: $0) },
        drawIncarnation: @escaping @Sendable () -> UInt32 = { .random(in: 1 ... .max) }
    ) {
        self.disk = disk
        self.drawIncarnation = drawIncarnation
    }

    /// Bodies larger than this many bytes are kept in files of their own.
    public static let blobThreshold = 32 << 10
    /// Items that one call of `expire` gives back at most.
    public static let expiredPerCall = 1_024
    /// Committed frames of one incarnation that are kept until the peer settles them.
    public static let unsettledMax = 16_384
    /// Incarnations of one peer that are remembered.
    public static let incarnationsMax = 4
    /// Longest age and lifetime that are believed: a hundred years of 365 days, in milliseconds.
    public static let timeMax: Int64 = 100 * 365 * 86_400_000
    /// Items whose lifetime ends within this many milliseconds go first.
    public static let urgentWithin: Int64 = 3_600_000
}
