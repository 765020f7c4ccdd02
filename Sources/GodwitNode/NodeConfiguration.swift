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
    public var limits: ProtectionLimits

    public init(
        registration: RegistrationPolicy = .open, profiles: [String: Profile] = [:],
        localProfile: String = "broadband", spool: SpoolConfiguration = SpoolConfiguration(),
        limits: ProtectionLimits = ProtectionLimits()
    ) {
        self.registration = registration
        var all = Dictionary(uniqueKeysWithValues: NetworkType.allCases.map { ($0.rawValue, Profile.preset($0)) })
        all["mesh"] = .preset(.meshnet)
        self.profiles = all.merging(profiles) { _, own in own }
        self.localProfile = localProfile
        self.spool = spool
        self.limits = limits
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
