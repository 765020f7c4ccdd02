/// How much a listening end takes on; see `UDPListenerConfiguration`.
struct ListenerLimits: Sendable {
    var exchangesMax: Int
    var exchangesPerAddressMax: Int
    var bodyMax: Int
    /// bit/s.
    var rateMax: Int
    var payloadMax: Int
    var silence: Duration?
    var lingering: Duration = .seconds(60)
}
