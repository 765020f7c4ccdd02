import GodwitProtocol
import GodwitServer
import Logging

extension NodeSettings {
    /// - Throws: `ProtocolError` 2000 for a level or form that there is not.
    func log() throws(ProtocolError) -> NodeLog.Setting {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw .malformed(
                "log_level is not one of the levels.", member: "log_level",
                hint: "Known: " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard ["text", "json"].contains(logFormat) else {
            throw .malformed("log_format is text or json.", member: "log_format")
        }
        return NodeLog.Setting(level: Wiring.environmentLevel ?? level, isJSON: logFormat == "json")
    }

    func apiOrigins() -> APIOrigins {
        APIOrigins(Set(origins.split(separator: ",").map { String($0.filter { $0 != " " }) }))
    }

    /// Names of what is another in `next`, and of those what cannot change while the node runs.
    func changes(to next: NodeSettings) -> (changed: [String], fixed: [String]) {
        let fixed: [(String, Bool)] = [
            ("listen", listen != next.listen), ("listen_udp", listenUDP != next.listenUDP),
            ("listen_broadcast", listenBroadcast != next.listenBroadcast),
            ("broadcast_interface", broadcastInterface != next.broadcastInterface), ("spool", spool != next.spool),
            ("allowClear", allowClear != next.allowClear), ("tls", tls != next.tls),
            ("metrics_token", metricsToken != next.metricsToken), ("local_profile", localProfile != next.localProfile),
            ("message_retention", messageRetention != next.messageRetention),
            ("forward_moved", forwardMoved != next.forwardMoved),
        ]
        let free: [(String, Bool)] = [
            ("registration", registration != next.registration), ("invites", invites != next.invites),
            ("origins", origins != next.origins), ("log_level", logLevel != next.logLevel),
            ("log_format", logFormat != next.logFormat), ("limits", limits != next.limits),
        ]
        func names(_ list: [(String, Bool)]) -> [String] { list.filter(\.1).map(\.0) }
        return (names(free), names(fixed))
    }
}
