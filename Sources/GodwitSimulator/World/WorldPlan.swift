/// What happens in a simulated world, besides its seed. Times are milliseconds.
public struct WorldPlan: Sendable {
    public static let hour: Int64 = 3_600_000
    public static let day: Int64 = 24 * hour

    public var users = 6
    /// Devices besides the first one of each user, of users drawn at random.
    public var furtherDevices = 0
    public var nodes = 2
    public var channels = 2
    /// Chance that a user joins a channel at the beginning.
    public var joining = 0.7
    public var days: Int64 = 14
    /// Messages that are written in all.
    public var messages: Int64 = 120
    /// Share of messages that go to one user; the others go to channels.
    public var direct = 0.4
    public var faults = LinkFaults.bad
    /// Between two looks of a device, and of two nodes, for something to carry.
    public var deviceContacts: Int64 = 4 * hour
    public var nodeContacts: Int64 = 3 * hour
    /// Between two looks of a node for what is due. Really twice a minute.
    public var housekeeping: Int64 = 6 * hour
    /// A device that has nothing to do calls all the same after so long.
    public var idle: Int64 = 5 * day
    /// Joins, departures, removals and bans.
    public var changes: Int64 = 10
    /// Times at which some device goes dark, and how long that lasts at most.
    public var darknesses: Int64 = 4
    public var darkFor: Int64 = 3 * day
    /// Boxes that are started anew, by a power failure or in order.
    public var restarts: Int64 = 6
    /// Clocks that are set wrong, by years at most.
    public var clockJumps: Int64 = 4
    /// Journeys of a stick between two nodes.
    public var sticks: Int64 = 6
    /// Boxes that are lost for good; their user strikes them from the list and may enrol another one.
    public var losses: Int64 = 0
    /// Time until that at most.
    public var mending: Int64 = 10 * day
    /// Databases that are handed to the thief.
    public var thefts: Int64 = 0
    /// Cards that are copied and used later, in the same box or another.
    public var copies: Int64 = 0

    public init() {}

    var length: Int64 { days * Self.day }
}
