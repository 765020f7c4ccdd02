public import GodwitLink
public import GodwitProtocol
public import GodwitSpool

/// How a node runs.
public struct NodeConfiguration: Sendable {
    public var registration: RegistrationPolicy
    /// Profiles by name; the four shipped ones by default.
    public var profiles: [String: Profile]
    /// Profile for devices on the local network.
    public var localProfile: String
    public var spool: SpoolConfiguration
    /// For how long messages are kept for history at most; accounts may ask for less.
    public var retention: Retention
    /// For how long messages to a user who has moved away are delivered to the old devices, in uptime.
    public var forwardsMoved: Retention
    /// Origins of web pages that may open sockets; clients that are no web pages name none.
    public var origins: Set<String>
    public var limits: ProtectionLimits

    public init(
        registration: RegistrationPolicy = .open, profiles: [String: Profile] = [:],
        localProfile: String = "broadband", spool: SpoolConfiguration = SpoolConfiguration(),
        retention: Retention = .usual, forwardsMoved: Retention = .moved, origins: Set<String> = [],
        limits: ProtectionLimits = ProtectionLimits()
    ) {
        self.registration = registration
        var all = Dictionary(uniqueKeysWithValues: NetworkType.allCases.map { ($0.rawValue, Profile.preset($0)) })
        all["mesh"] = .preset(.meshnet)
        self.profiles = all.merging(profiles) { _, own in own }
        self.localProfile = localProfile
        self.spool = spool
        self.limits = limits
        self.retention = retention
        self.forwardsMoved = forwardsMoved
        self.origins = origins
    }

    /// How long a device's socket may be silent before the node asks whether it is still there. A ping wakes a radio and
    /// costs bytes, so over thin or metered links it is rare (gap G-46).
    ///
    /// - Throws: `ProtocolError` 2000 for a local profile that is unknown.
    public var socketIdle: Duration {
        get throws(ProtocolError) {
            let link = try profile(localProfile)
            let isFree = link.rulesUp.liveSession && link.rulesDown.liveSession && link.costPerMegabyte == 0
            return isFree ? .seconds(240) : .seconds(3_600)
        }
    }

    /// - Throws: `ProtocolError` 2000 that lists the known names.
    public func profile(_ name: String) throws(ProtocolError) -> Profile {
        guard let profile = profiles[name] else {
            throw .malformed(
                "There is no network profile of that name.", member: "profile",
                hint: "Known: " + profiles.keys.sorted().joined(separator: ", "))
        }
        return profile
    }
}
